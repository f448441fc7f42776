package lab

import (
	"testing"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// TestExternalCheck lets an unmodified ldirectord run landmark-check, through a link that names the service, and shows
// that clients behind it are spared a server that hangs or died, and that it comes back.
func TestExternalCheck(t *testing.T) {
	s := &story{t: t, Run: play(t, "external-check")}
	var (
		bothIn  = s.at(journal.BothIn)
		wedged  = s.at(journal.Wedged)
		freed   = s.at(journal.Freed)
		killed  = s.at(journal.Killed)
		started = s.at(journal.Started)
	)
	s.steady(journal.Asked, "rs1", bothIn, wedged)
	wedgedOut := s.change(journal.Asked, "rs1", wedged, freed, limit)
	freedIn := s.change(journal.Asked, "rs1", freed, killed, limit)
	killedOut := s.change(journal.Asked, "rs1", killed, started, limit)
	startedIn := s.change(journal.Asked, "rs1", started, end, limit)
	s.steady(journal.Asked, "rs2", bothIn, end)
	unexcused := s.spared(journal.Asked, outage{wedged, wedgedOut}, outage{killed, killedOut})

	s.row(bothIn, journal.BothIn, "")
	s.row(wedged, journal.Wedged, after("out", wedgedOut-wedged))
	s.row(freed, journal.Freed, after("in", freedIn-freed))
	s.row(killed, journal.Killed, after("out", killedOut-killed))
	s.row(started, journal.Started, after("in", startedIn-started))
	t.Logf("rs1, as ldirectord moved it at landmark-check's word:\n%s", s.table.String())
	all := s.requests(journal.Asked, 0, end)
	t.Logf("ldirectord: %d of %d requests failed, %d of them not begun while rs1 was failing and still in",
		len(failed(all)), len(all), unexcused)
}
