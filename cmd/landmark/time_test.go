package main

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                          "0 ms",
		0:                                     "0 ms",
		300 * time.Microsecond:                "<1 ms",
		999*time.Millisecond + 999999:         "999 ms",
		time.Second:                           "1 s",
		59*time.Second + 999*time.Millisecond: "59.9 s",
		time.Minute:                           "1 min 0 s",
		59*time.Minute + 59*time.Second:       "59 min 59 s",
		3*time.Hour + 4*time.Minute:           "3 h 4 min",
		day - 1:                               "23 h 59 min",
		50 * time.Hour:                        "2 d 2 h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestClockShowsTheDayWhereItIsAnother(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, zone)
	for at, want := range map[time.Time]string{
		time.Date(2026, 3, 1, 1, 12, 7, 204e6, time.UTC): "03:12:07.204",
		time.Date(2026, 2, 28, 22, 0, 0, 0, time.UTC):    "00:00:00.000",
		time.Date(2026, 2, 28, 21, 59, 0, 0, time.UTC):   "2026-02-28 23:59:00.000",
		time.Date(2025, 3, 1, 8, 0, 0, 0, zone):          "2025-03-01 08:00:00.000",
	} {
		if got := clock(at, now); got != want {
			t.Errorf("%v: %q, want %q", at, got, want)
		}
	}
}
