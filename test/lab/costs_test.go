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

// costs is the table of what the director's checks cost.
var costs = sheet{columns: []string{colProgram, colChecks, colCPU, colEach, colAll}}

// rate is how many checks 200 servers take that are checked ten times a second.
const rate = 2000

// dear is how much more than what is asked or told without a process a process must cost.
const dear = 20

// TestCosts measures what the checks of 200 real servers cost the director, ten times a second each, if it can: whatever
// starts a process for every check takes all the time that there is, and achieves less.
func TestCosts(t *testing.T) {
	tell(t, "costs", judgeCosts)
}

// judgeCosts judges what was measured.
func judgeCosts(s *story) {
	titles := map[string]string{
		journal.UDP:         "keepalived UDP_CHECK",
		journal.File:        "landmark-watch, told at once",
		journal.Misc:        "keepalived MISC_CHECK, landmark-check",
		journal.MiscNothing: "keepalived MISC_CHECK, a script that does nothing",
	}
	wanted := map[string]float64{} // cores that 200 servers take
	for _, c := range s.Costs {
		cores := c.CPU.Seconds() / c.Elapsed.Seconds()
		row := map[string]string{colProgram: titles[c.Way], colCPU: percent(cores)}
		if c.Checks > 0 {
			each := c.CPU / time.Duration(c.Checks)
			cores = each.Seconds() * rate
			row[colChecks] = fmt.Sprintf("%.0f", float64(c.Checks)/c.Elapsed.Seconds())
			row[colEach] = each.Round(time.Microsecond).String()
		} else if c.Way != journal.File {
			s.wrong("%s: no check was made in %v", c.Way, c.Elapsed)
		}
		row[colAll] = percent(cores)
		wanted[c.Way] = cores
		costs.add(row)
	}
	for _, cheap := range []string{journal.UDP, journal.File} {
		for _, process := range []string{journal.Misc, journal.MiscNothing} {
			if wanted[cheap]*dear > wanted[process] {
				s.wrong("%s takes %s of a core and %s %s, want less than a %dth",
					titles[cheap], percent(wanted[cheap]), titles[process], percent(wanted[process]), dear)
			}
		}
	}
}

func percent(cores float64) string { return fmt.Sprintf("%.1f %%", 100*cores) }
