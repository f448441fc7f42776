package keepalived

import "testing"

func TestWeight(t *testing.T) {
	for _, tt := range []struct {
		configured int
		percent    uint8
		want       int
	}{
		{100, 100, 100}, {100, 75, 75}, {100, 1, 1}, {100, 0, 1},
		{3, 50, 2}, {3, 34, 2}, {3, 33, 1},
		{1, 1, 1}, {253, 99, 251}, {MaxWeight, 100, 253}, {253, 255, 253},
	} {
		if got := Weight(tt.configured, tt.percent); got != tt.want {
			t.Errorf("%d %% of %d: %d, want %d", tt.percent, tt.configured, got, tt.want)
		}
	}
}
