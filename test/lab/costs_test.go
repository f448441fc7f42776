//go:build lab

package lab

import (
	"fmt"
	"testing"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// The columns of the table of costs.
const (
	colProgram = "on the director"
	colChecks  = "checks a second"
	colCPU     = "processor time, of one core"
	colEach    = "for each check"
	colAll     = "for 200 servers ten times a second"
)

// costTable is the table of what the director's checks cost.
var costTable = table{columns: []string{colProgram, colChecks, colCPU, colEach, colAll}}

// checkRate is how many checks a second 200 servers need that are checked ten times a second.
const checkRate = 2000

// processFactor is how many times as much as a check without a process a check by a process must cost.
const processFactor = 20

// TestCosts measures what it costs the director to check 200 real servers ten times a second each. A program that starts a
// process for every check uses all processor time and makes fewer checks.
func TestCosts(t *testing.T) {
	playAndCheck(t, "costs", checkCosts)
}

// checkCosts checks the costs that were measured.
func checkCosts(s *findings) {
	titles := map[string]string{
		journal.UDP:         "keepalived UDP_CHECK",
		journal.File:        "landmark-watch, changes pushed",
		journal.Misc:        "keepalived MISC_CHECK, landmark-check",
		journal.MiscNothing: "keepalived MISC_CHECK, a script that does nothing",
	}
	wanted := map[string]float64{} // cores that 200 servers take
	for _, c := range s.Costs {
		cores := c.CPU.Seconds() / c.Elapsed.Seconds()
		row := map[string]string{colProgram: titles[c.Way], colCPU: percent(cores)}
		if c.Checks > 0 {
			each := c.CPU / time.Duration(c.Checks)
			cores = each.Seconds() * checkRate
			row[colChecks] = fmt.Sprintf("%.0f", float64(c.Checks)/c.Elapsed.Seconds())
			row[colEach] = each.Round(time.Microsecond).String()
		} else if c.Way != journal.File {
			s.errorf("%s: checks in %v: got 0, want some", c.Way, c.Elapsed)
		}
		row[colAll] = percent(cores)
		wanted[c.Way] = cores
		costTable.add(row)
	}
	for _, cheap := range []string{journal.UDP, journal.File} {
		for _, process := range []string{journal.Misc, journal.MiscNothing} {
			if wanted[cheap]*processFactor > wanted[process] {
				s.errorf("%s: got %s of a core, want less than a %dth of the %s of %s",
					titles[cheap], percent(wanted[cheap]), processFactor, percent(wanted[process]), titles[process])
			}
		}
	}
}

func percent(cores float64) string { return fmt.Sprintf("%.1f %%", 100*cores) }
