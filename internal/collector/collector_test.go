package collector

import "testing"

func TestLimitsCrossed(t *testing.T) {
	above := func(degrade, fail float64) Limits { return Limits{DegradeAt: degrade, FailAt: fail} }
	below := func(degrade, fail float64) Limits { return Limits{DegradeAt: degrade, FailAt: fail, Below: true} }
	tests := []struct {
		limits   Limits
		from, to float64
		want     bool
	}{
		{above(10, 20), 0, 10, false},
		{above(10, 20), 10, 10.5, true},
		{above(10, 20), 10.5, 19, false},
		{above(10, 20), 19, 20, true},
		{above(10, 20), 20, 1000, false},
		{above(10, 20), 1000, -1000, true},
		{above(10, 10), 9, 10, true},
		{above(10, 10), 10, 11, false},
		{below(20, 10), 1000, 20, false},
		{below(20, 10), 20, 19, true},
		{below(20, 10), 19, 10.5, false},
		{below(20, 10), 10.5, 10, true},
		{below(20, 10), 10, -1000, false},
		{below(10, 10), 11, 10, true},
		{Limits{}, 0, 0, false}, // landmarks of other kinds
	}
	for _, tt := range tests {
		if got := tt.limits.Crossed(tt.from, tt.to); got != tt.want {
			t.Errorf("%+v: Crossed(%v, %v) = %t", tt.limits, tt.from, tt.to, got)
		}
		if got := tt.limits.Crossed(tt.to, tt.from); got != tt.want {
			t.Errorf("%+v: Crossed(%v, %v) = %t", tt.limits, tt.to, tt.from, got)
		}
	}
}
