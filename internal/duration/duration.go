// Package duration formats durations for people, such as "3.2 s" or "2 d 7 h", and parses
// those of command lines.
package duration

import (
	"fmt"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// Format returns d in milliseconds below a second, in tenths of a second below a
// minute, and with two units from a minute on. A positive d below a millisecond is
// "<1 ms". If d is 0 or negative, it is "0 ms".
func Format(d time.Duration) string {
	if d >= time.Second {
		d = round(d)
	}
	switch {
	case 0 < d && d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return strconv.FormatInt(max(0, d.Milliseconds()), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
}

// round rounds durations below a minute to tenths of a second, so that 59.96 s is
// "1 min 0 s" and not "60 s".
func round(d time.Duration) time.Duration {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond)
	}
	return d
}
