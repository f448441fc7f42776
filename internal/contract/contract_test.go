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

func TestReportIntervalIsAQuarterOfTheLimit(t *testing.T) {
	for limit, want := range map[time.Duration]time.Duration{
		0:                      MaxReportInterval,
		time.Millisecond:       MinReportInterval,
		MinWithin:              MinReportInterval,
		200 * time.Millisecond: 50 * time.Millisecond,
		2 * time.Second:        MaxReportInterval,
		MaxDuration:            MaxReportInterval,
	} {
		if got := ReportInterval(limit); got != want {
			t.Errorf("ReportInterval(%v) = %v, want %v", limit, got, want)
		}
	}
}
