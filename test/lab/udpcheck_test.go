package lab

import (
	"fmt"
	"testing"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// TestUDPCheck lets an unmodified keepalived ask the sidecars of two real servers by UDP_CHECK and shows that clients
// behind it are spared a server that hangs or died, that it comes back, and that a restart of the sidecar is no event.
// A TCP_CHECK over the same servers is the control: it sees the death, but keeps the hanging server in.
func TestUDPCheck(t *testing.T) {
	s := &story{t: t, Run: play(t, "udp-check")}
	var (
		bothIn      = s.at(journal.BothIn)
		wedged      = s.at(journal.Wedged)
		freed       = s.at(journal.Freed)
		killed      = s.at(journal.Killed)
		started     = s.at(journal.Started)
		wedgedAgain = s.at(journal.WedgedAgain)
		restarts    = s.restarts(wedgedAgain)
	)

	// What the balancer did with rs1, and when.
	s.steady(journal.Asked, "rs1", bothIn, wedged)
	wedgedOut := s.change(journal.Asked, "rs1", wedged, freed, limit)
	freedIn := s.change(journal.Asked, "rs1", freed, killed, limit)
	killedOut := s.change(journal.Asked, "rs1", killed, started, limit)
	startedIn := s.change(journal.Asked, "rs1", started, restarts[0].killed, limit)
	wedgedAgainOut := s.change(journal.Asked, "rs1", wedgedAgain, end, limit)
	s.steady(journal.Asked, "rs2", bothIn, end)

	// What the clients had of it: whatever did not meet rs1 between its failure and its removal got a programme. A sidecar
	// that is away for longer than keepalived's patience costs at most the requests that rs1 was answering when taken out.
	outages := []outage{{wedged, wedgedOut}, {killed, killedOut}, {wedgedAgain, wedgedAgainOut}}
	for _, out := range s.judgeRestarts(restarts) {
		outages = append(outages, outage{out, out})
	}
	unexcused := s.spared(journal.Asked, outages...)

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
	for _, r := range restarts {
		s.row(r.killed, journal.SidecarKilled, "")
		s.row(r.started, journal.SidecarStarted, "")
		s.row(r.serves, journal.SidecarServes, fmt.Sprintf("%s; in the table, %d changes in %.1f s",
			after("killed", r.took()), len(s.changes(journal.Asked, "rs1", r.killed, r.until)), (r.until-r.killed).Seconds()))
	}
	s.row(wedgedAgain, journal.WedgedAgain, after("out", wedgedAgainOut-wedgedAgain))
	t.Logf("rs1, as keepalived's UDP_CHECK moved it:\n%s", s.table.String())
	all := s.requests(journal.Asked, 0, end)
	t.Logf("UDP_CHECK: %d of %d requests failed, %d of them not begun while rs1 was failing and still in",
		len(failed(all)), len(all), unexcused)
	t.Logf("TCP_CHECK: rs1 hung and stayed in; %d of the %d requests begun after UDP_CHECK had it out failed, the longest after %.1f s",
		len(vain), len(s.requests(journal.Control, wedgedOut, freed)), longest(vain).Seconds())
}

// restart is one restart of rs1's sidecar under a healthy program. What is seen until the instant until belongs to it.
type restart struct{ killed, started, serves, until time.Duration }

// took is how long the sidecar was away.
func (r restart) took() time.Duration { return r.serves - r.killed }

// restarts returns every restart that the scenario made before an instant: one at least.
func (s *story) restarts(before time.Duration) []restart {
	s.t.Helper()
	killed, started, serves := s.every(journal.SidecarKilled), s.every(journal.SidecarStarted), s.every(journal.SidecarServes)
	if len(killed) == 0 || len(started) != len(killed) || len(serves) != len(killed) {
		s.t.Fatalf("the sidecar was killed %d times, started again %d times and served %d times, want as many of each and one at least",
			len(killed), len(started), len(serves))
	}
	untils := append(killed[1:len(killed):len(killed)], before)
	var restarts []restart
	for i := range killed {
		restarts = append(restarts, restart{killed[i], started[i], serves[i], untils[i]})
	}
	return restarts
}

// judgeRestarts fails the test if a restart within keepalived's patience moved rs1, or if there was none. It returns when
// rs1 was taken out because of a longer one.
func (s *story) judgeRestarts(restarts []restart) []time.Duration {
	s.t.Helper()
	var outs []time.Duration
	within := 0
	for _, r := range restarts {
		if r.took() < journal.Patience {
			within++
			s.steady(journal.Asked, "rs1", r.killed, r.until)
		} else if changes := s.changes(journal.Asked, "rs1", r.killed, r.until); len(changes) > 0 {
			outs = append(outs, changes[0])
		}
	}
	if within == 0 {
		s.t.Errorf("none of %d restarts of the sidecar was over within the %v that keepalived is patient: the run does not show that one is no event; this host is too busy, or landmarkd starts too slowly",
			len(restarts), journal.Patience)
	}
	return outs
}
