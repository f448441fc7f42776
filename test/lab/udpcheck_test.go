package lab

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// limit bounds every change of the table. It is far above what the changes take, which is printed: the machine has one
// processor, and on a busy host not all of that.
const limit = 30 * time.Second

// retries is how long keepalived's checker retries before it takes a server out (inside/director.go).
const retries = 2 * time.Second

// TestUDPCheck lets an unmodified keepalived ask the sidecars of two real servers by UDP_CHECK and shows that clients
// behind it are spared a server that hangs or died, that it comes back, and that a restart of the sidecar is no event.
// A TCP_CHECK over the same servers is the control: it sees the death, but keeps the hanging server in.
func TestUDPCheck(t *testing.T) {
	s := &story{t: t, Run: play(t, "udp-check")}
	var (
		bothIn         = s.at(journal.BothIn)
		wedged         = s.at(journal.Wedged)
		freed          = s.at(journal.Freed)
		killed         = s.at(journal.Killed)
		started        = s.at(journal.Started)
		sidecarKilled  = s.at(journal.SidecarKilled)
		sidecarStarted = s.at(journal.SidecarStarted)
		sidecarServes  = s.at(journal.SidecarServes)
		wedgedAgain    = s.at(journal.WedgedAgain)
		end            = time.Duration(math.MaxInt64)
	)

	// What the balancer did with rs1, and when.
	s.steady(journal.Asked, "rs1", bothIn, wedged)
	wedgedOut := s.change(journal.Asked, "rs1", wedged, freed, limit)
	freedIn := s.change(journal.Asked, "rs1", freed, killed, limit)
	killedOut := s.change(journal.Asked, "rs1", killed, started, limit)
	startedIn := s.change(journal.Asked, "rs1", started, sidecarKilled, limit)
	wedgedAgainOut := s.change(journal.Asked, "rs1", wedgedAgain, end, limit)
	s.steady(journal.Asked, "rs2", bothIn, end)

	// What the clients had of it: whatever did not meet rs1 between its failure and its removal got a programme.
	type outage struct{ failed, out time.Duration }
	outages := []outage{
		{wedged, wedgedOut}, {killed, killedOut}, {wedgedAgain, wedgedAgainOut},
	}
	if restart := sidecarServes - sidecarKilled; restart < retries {
		s.steady(journal.Asked, "rs1", sidecarKilled, wedgedAgain)
	} else {
		t.Logf("not judged: on this busy host the sidecar's restart took %v, longer than keepalived retries", restart)
		outages = append(outages, outage{sidecarKilled, wedgedAgain})
	}
	unexcused := 0
	for _, r := range failed(s.requests(journal.Asked, 0, end)) {
		excused := false
		for _, o := range outages {
			excused = excused || r.Start <= o.out && r.End >= o.failed
		}
		if !excused {
			unexcused++
			t.Errorf("a client that asked at %v had no programme by %v, though rs1 was well or out then", r.Start, r.End)
		}
	}
	for _, o := range outages {
		if len(s.requests(journal.Asked, o.out, end)) == 0 {
			t.Errorf("no client asked after rs1 was taken out at %v", o.out)
		}
	}

	// What the control did: nothing, for a hanging server's port is open, and its clients waited in vain.
	s.steady(journal.Control, "rs1", bothIn, freed)
	for _, r := range failed(s.requests(journal.Control, bothIn, wedged)) {
		if r.End < wedged {
			t.Errorf("a client of the control that asked at %v had no programme by %v, before anything was wrong", r.Start, r.End)
		}
	}
	vain := failed(s.requests(journal.Control, wedgedOut, freed))
	if len(vain) == 0 {
		t.Error("no request of the control failed while rs1 hung in its table: the clients never met it, and the run shows nothing")
	}

	s.row(bothIn, journal.BothIn, "")
	s.row(wedged, journal.Wedged, after("out", wedgedOut-wedged))
	s.row(freed, journal.Freed, after("in", freedIn-freed))
	s.row(killed, journal.Killed, after("out", killedOut-killed))
	s.row(started, journal.Started, after("in", startedIn-started))
	s.row(sidecarKilled, journal.SidecarKilled, "")
	s.row(sidecarStarted, journal.SidecarStarted, "")
	s.row(sidecarServes, journal.SidecarServes, fmt.Sprintf("out %d times in %.1f s",
		len(s.changes(journal.Asked, "rs1", sidecarKilled, wedgedAgain)), (wedgedAgain-sidecarKilled).Seconds()))
	s.row(wedgedAgain, journal.WedgedAgain, after("out", wedgedAgainOut-wedgedAgain))
	t.Logf("rs1, as keepalived's UDP_CHECK moved it:\n%s", s.table.String())
	all := s.requests(journal.Asked, 0, end)
	t.Logf("UDP_CHECK: %d of %d requests failed, %d of them not begun while rs1 was failing and still in",
		len(failed(all)), len(all), unexcused)
	t.Logf("TCP_CHECK: rs1 hung and stayed in; %d of the %d requests begun after UDP_CHECK had it out failed, the longest after %.1f s",
		len(vain), len(s.requests(journal.Control, wedgedOut, freed)), longest(vain).Seconds())
}

// after says how long a change took.
func after(change string, took time.Duration) string {
	return fmt.Sprintf("%s after %.2f s", change, took.Seconds())
}
