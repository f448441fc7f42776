// Package contract holds what agents, landmarkd and the tools agree on besides
// the messages: names, limits, default ports and the paths of the sockets. The
// rules for names and the limits are those of proto/landmark/report/v1.
package contract

import (
	"fmt"
	"time"
)

// The default ports. The default port of LMP is lmp.Port.
const (
	GRPCPort = 19534
	HTTPPort = 19535
	LinePort = 19536 // off by default
)

// Limits of a declaration and of a report.
const (
	MaxLandmarks = 1024 // of one process
	MaxReason    = 255  // bytes of a Condition's reason

	// MinWithin is the shortest Within of a landmark: landmarkd learns nothing
	// between two reports.
	MinWithin = reportsPerLimit * MinReportInterval
	// MinDuration is the shortest of every other duration.
	MinDuration = time.Millisecond
	MaxDuration = 24 * time.Hour
)

// The limits of the time between two reports of an agent.
const (
	MinReportInterval = 25 * time.Millisecond
	MaxReportInterval = 500 * time.Millisecond

	reportsPerLimit = 4
)

// ReportInterval returns the time between two reports of such landmarks when nothing
// changes, so that landmarkd knows each age to a quarter of its limit. limit returns the
// age at which a landmark fails (Within or TTL), 0 if it does not fail by age.
func ReportInterval[L any](landmarks []L, limit func(L) time.Duration) time.Duration {
	interval := MaxReportInterval
	for _, l := range landmarks {
		if d := limit(l); d > 0 {
			interval = min(interval, max(d/reportsPerLimit, MinReportInterval))
		}
	}
	return interval
}

// CheckWithin returns an error unless d is a valid Within: 100 ms to 24 h.
func CheckWithin(d time.Duration) error { return checkRange(d, MinWithin, "100ms") }

// CheckDuration returns an error unless d is a valid StartWithin or TTL: 1 ms to
// 24 h.
func CheckDuration(d time.Duration) error { return checkRange(d, MinDuration, "1ms") }

// checkRange writes the minimum as minText, because time.Duration's String is
// harder to read.
func checkRange(d, minimum time.Duration, minText string) error {
	if d < minimum || d > MaxDuration {
		return fmt.Errorf("must be %s to 24h, not %v", minText, d)
	}
	return nil
}
