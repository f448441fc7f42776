package terminal

import (
	"testing"
	"time"
)

func TestClockShowsDateOfOtherDays(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, zone)
	for at, want := range map[time.Time]string{
		time.Date(2026, 3, 1, 1, 12, 7, 204e6, time.UTC): "03:12:07.204",
		time.Date(2026, 2, 28, 22, 0, 0, 0, time.UTC):    "00:00:00.000",
		time.Date(2026, 2, 28, 21, 59, 0, 0, time.UTC):   "2026-02-28 23:59:00.000",
		time.Date(2025, 3, 1, 8, 0, 0, 0, zone):          "2025-03-01 08:00:00.000",
	} {
		if got := Clock(at, now); got != want {
			t.Errorf("Clock(%v) = %q, want %q", at, got, want)
		}
	}
}
