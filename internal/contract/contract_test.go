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

func TestReportIntervalIsAQuarterOfTheSmallestLimit(t *testing.T) {
	for limit, want := range map[time.Duration]time.Duration{
		0:                      MaxReportInterval,
		time.Millisecond:       MinReportInterval,
		MinWithin:              MinReportInterval,
		200 * time.Millisecond: 50 * time.Millisecond,
		2 * time.Second:        MaxReportInterval,
		MaxDuration:            MaxReportInterval,
	} {
		for _, limits := range [][]time.Duration{{limit}, {limit, MaxDuration, 0}, {0, MaxDuration, limit}} {
			if got := ReportInterval(limits, func(d time.Duration) time.Duration { return d }); got != want {
				t.Errorf("ReportInterval of the limits %v = %v, want %v", limits, got, want)
			}
		}
	}
}
