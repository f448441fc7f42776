package contract

import (
	"testing"
	"time"
)

func TestCheckDurations(t *testing.T) {
	for _, tt := range []struct {
		name    string
		check   func(time.Duration) error
		minimum time.Duration
	}{
		{"CheckWithin", CheckWithin, 100 * time.Millisecond},
		{"CheckDuration", CheckDuration, time.Millisecond},
	} {
		for d, valid := range map[time.Duration]bool{
			tt.minimum: true, 24 * time.Hour: true, time.Second: true,
			tt.minimum - 1: false, 24*time.Hour + 1: false, 0: false, -time.Second: false,
		} {
			if err := tt.check(d); (err == nil) != valid {
				t.Errorf("%s(%v) = %v, want valid %t", tt.name, d, err, valid)
			}
		}
	}
}
