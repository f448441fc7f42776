package contract

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for _, tt := range []struct {
		what  string
		check func(time.Duration) error
		least time.Duration
	}{
		{"within", CheckWithin, 100 * time.Millisecond},
		{"duration", CheckDuration, time.Millisecond},
	} {
		for d, good := range map[time.Duration]bool{
			tt.least: true, 24 * time.Hour: true, time.Second: true,
			tt.least - 1: false, 24*time.Hour + 1: false, 0: false, -time.Second: false,
		} {
			if err := tt.check(d); (err == nil) != good {
				t.Errorf("%s %v: %v", tt.what, d, err)
			}
		}
	}
}
