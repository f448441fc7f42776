package main

import (
	"fmt"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// span writes a duration as people say it: one unit up to a minute, two beyond.
func span(d time.Duration) string {
	switch {
	case 0 < d && d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return strconv.FormatInt(max(0, d.Milliseconds()), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(float64(d/(100*time.Millisecond))/10, 'f', -1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
}

// microseconds is a duration of the schema.
func microseconds(us uint64) time.Duration { return time.Duration(us) * time.Microsecond }

// clock shows a time in the zone of now, and its day if that is another.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04:05.000")
	}
	return t.Format("2006-01-02 15:04:05.000")
}
