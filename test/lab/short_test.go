//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// TestShort plays what make test has time for. It asserts only the order of events.
func TestShort(t *testing.T) {
	playAndCheck(t, "short", checkShort)
}

func checkShort(s *findings) {
	for _, w := range []way{
		{name: journal.UDP, title: "keepalived UDP_CHECK", forward: "NAT"},
		{name: journal.File, title: "keepalived FILE_CHECK, landmark-watch", forward: "NAT", pushed: true},
		{name: journal.BFD, title: "keepalived BFD_CHECK", forward: "NAT", pushed: true},
		{name: journal.TCP, title: "control: keepalived TCP_CHECK", forward: "NAT", control: true},
	} {
		w.checkOrder(s)
	}
	s.assertControlFails(journal.TCP)
	for _, v := range s.Verdicts {
		if v.Server == "rs2" && v.Began > s.only(journal.BothIn).from && v.Answer != journal.Serving {
			s.errorf("sidecar of rs2 at %v: got %q, want %q, because nothing was done to it", v.Began, v.Answer, journal.Serving)
		}
	}
}

// checkOrder checks in which order the way and the sidecar of rs1 detected what was done to rs1.
func (w way) checkOrder(s *findings) {
	t := &wayCheck{findings: s, way: w, row: map[string]string{colWay: w.title, colForward: w.forward}, in: map[string]string{}}
	t.pair(journal.Hung, journal.Freed, colHang, !w.control)
	t.pair(journal.Killed, journal.Started, colDeath, true)
	t.drain()
	t.after(journal.Hung, journal.Stalled)
	t.after(journal.Killed, journal.Lost)
	t.after(journal.Drained, journal.Draining)
	t.before(journal.UDP, journal.Hung, journal.Killed, journal.Drained)
	t.absence()
	t.clients()
	t.other()
	s.rows = append(s.rows, t.row)
}

// after checks that the sidecar answered what was done to rs1, and that the way did not detect it before the sidecar.
func (t *wayCheck) after(harm, answer string) {
	t.t.Helper()
	if t.control {
		return
	}
	p := t.only(harm)
	for _, v := range t.Verdicts {
		if v.Server != "rs1" || v.Answer != answer || v.At < p.from || v.LastBegan > p.until {
			continue
		}
		if changes := t.changes(t.name, "rs1", p); len(changes) > 0 && changes[0] < v.LastBegan {
			t.errorf("%s: after %q rs1 was out at %v, want that not before the sidecar answered %q; a later check, at %v, got another answer", t.name, harm, changes[0], answer, v.LastBegan)
		}
		return
	}
	t.errorf("sidecar of rs1 after %q at %v: got no answer %q", harm, p.from, answer)
}

// before checks that a pushed way took rs1 out in less than half of the time that another needed, after each harm. The
// UDP_CHECK beside it would take rs1 out too, but as late as the other.
func (t *wayCheck) before(other string, harms ...string) {
	t.t.Helper()
	if !t.pushed {
		return
	}
	for _, harm := range harms {
		p := t.only(harm)
		own, others := t.changes(t.name, "rs1", p), t.changes(other, "rs1", p)
		if len(own) > 0 && len(others) > 0 && 2*(own[0]-p.from) >= others[0]-p.from {
			t.errorf("%s: after %q rs1 was out in %v, want less than half of the %v of %s", t.name, harm, own[0]-p.from, others[0]-p.from, other)
		}
	}
}

// absence checks the restart of landmarkd. A server stays in if landmarkd is away for less than the timeout of its
// checkers. A longer absence may take it out, but not before that timeout, and it is in again afterwards.
func (t *wayCheck) absence() {
	t.t.Helper()
	shown := false
	for i, k := range t.phases(journal.SidecarKilled) {
		serves := t.phases(journal.SidecarServes)[i]
		rest := t.phases(journal.Rest)[i]
		p := phase{k.from, rest.from}
		changes := t.changes(t.name, "rs1", p)
		absence := serves.from - k.from
		switch {
		case t.control || absence < t.Speed.MaxAbsence(t.name):
			shown = true
			t.steady(t.name, "rs1", p)
			t.row[colSidecar] = staysIn(len(changes))
		case len(changes)%2 != 0:
			t.errorf("%s: after landmarkd was away from %v until %v: got changes of rs1 at %v, want it in again", t.name, k.from, serves.from, changes)
		case len(changes) > 0:
			// A check that was running when landmarkd was killed counts from its beginning.
			if least := t.Speed.MaxAbsence(t.name) - time.Second; changes[0]-k.from < least {
				t.errorf("%s: rs1 was out %v after landmarkd was killed, want at least the checkers' timeout of %v", t.name, changes[0]-k.from, least)
			}
			t.outages = append(t.outages, phase{changes[0], changes[len(changes)-1]})
		}
	}
	if !shown {
		if t.name == journal.File {
			// Its timeout cannot be set, so another run would show no more.
			t.t.Logf("%s: landmarkd was always away for longer than the %v that the way tolerates", t.name, t.Speed.MaxAbsence(t.name))
			t.row[colSidecar] = "not shown"
			return
		}
		t.inconclusivef("%s: landmarkd was always away for longer than the %v that the way tolerates", t.name, t.Speed.MaxAbsence(t.name))
	}
}
