package contract

import (
	"fmt"
	"time"
)

// The limits of a declaration and of a report.
const (
	MaxLandmarks = 1024 // of one process
	MaxReason    = 255  // bytes of a Condition's reason

	// MinWithin is the least Within of a landmark: four times the shortest
	// interval between reports (25 ms), between which landmarkd learns nothing.
	MinWithin = 100 * time.Millisecond
	// MinDuration is the least of every other duration.
	MinDuration = time.Millisecond
	MaxDuration = 24 * time.Hour
)

// CheckWithin returns an error unless d may be a Within: 100 ms to 24 h.
func CheckWithin(d time.Duration) error { return checkRange(d, MinWithin, "100ms") }

// CheckDuration returns an error unless d may be a StartWithin or a TTL: 1 ms to
// 24 h.
func CheckDuration(d time.Duration) error { return checkRange(d, MinDuration, "1ms") }

func checkRange(d, least time.Duration, spelt string) error {
	if d < least || d > MaxDuration {
		return fmt.Errorf("must be %s to 24h, not %v", spelt, d)
	}
	return nil
}
