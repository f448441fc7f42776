package describe

import (
	"fmt"
	"strconv"

	"github.com/landmark-health/landmark/internal/duration"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// LastCheck returns the age of the checker's latest check, and whether it is silent.
func LastCheck(c *statusv1.Checker) string {
	age := duration.Format(c.GetSinceLastCheck().AsDuration())
	switch {
	case c.GetSilent() && c.GetUsualPerSecond() > 0:
		return fmt.Sprintf("silent for %s, checked %s before", age, PerSecond(c.GetUsualPerSecond()))
	case c.GetSilent():
		return "silent for " + age
	case c.GetWatching() == 1:
		return "watching"
	case c.GetWatching() > 1:
		return fmt.Sprintf("watching, %d times", c.GetWatching())
	}
	return age + " ago"
}

// PerSecond writes a rate to two digits. A rate near 0, to which it falls without end,
// is 0.
func PerSecond(rate float64) string {
	if rate < 0.001 {
		return "0/s"
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(rate, 'g', 2, 64), 64)
	return number(rounded) + "/s"
}
