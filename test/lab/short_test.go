//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// TestShort plays what make test has the time for, and asserts the order of events alone.
func TestShort(t *testing.T) {
	tell(t, "short", judgeShort)
}

func judgeShort(s *story) {
	for _, w := range []way{
		{name: journal.UDP, title: "keepalived UDP_CHECK", forward: "NAT"},
		{name: journal.File, title: "keepalived FILE_CHECK, landmark-watch", forward: "NAT", prompt: true},
		{name: journal.TCP, title: "control: keepalived TCP_CHECK", forward: "NAT", blind: true},
	} {
		w.judgeOrder(s)
	}
	s.hearsNothing(journal.TCP)
	for _, v := range s.Verdicts {
		if v.Server == "rs2" && v.Asked > s.only(journal.BothIn).from && v.Says != journal.Serving {
			s.wrong("the sidecar of rs2 said %q at %v, though nothing was done to it", v.Says, v.Asked)
		}
	}
}

// judgeOrder judges in which order the way and the sidecar of rs1 learned what was done to rs1.
func (w way) judgeOrder(s *story) {
	t := &telling{story: s, way: w, row: map[string]string{colWay: w.title, colForward: w.forward}, in: map[string]string{}}
	t.pair(journal.Wedged, journal.Freed, colHang, !w.blind)
	t.pair(journal.Killed, journal.Started, colDeath, true)
	t.drain()
	t.after(journal.Wedged, journal.Stalled)
	t.after(journal.Killed, journal.Lost)
	t.after(journal.Drained, journal.Draining)
	t.absence()
	t.clients()
	t.other()
	s.rows = append(s.rows, t.row)
}

// after judges that the sidecar said what was done to rs1, and that the way did not know it before the sidecar.
func (t *telling) after(harm, says string) {
	t.t.Helper()
	if t.blind {
		return
	}
	p := t.only(harm)
	for _, v := range t.Verdicts {
		if v.Server != "rs1" || v.Says != says || v.At < p.from || v.Before > p.until {
			continue
		}
		if changes := t.changes(t.name, "rs1", p); len(changes) > 0 && changes[0] < v.Before {
			t.wrong("%s: after %q rs1 was out at %v, but a question put later, at %v, was not yet answered %q", t.name, harm, changes[0], v.Before, says)
		}
		return
	}
	t.wrong("after %q at %v the sidecar of rs1 never said %q", harm, p.from, says)
}

// absence judges the restart of landmarkd. A server stays in through an absence that is shorter than the patience of
// its checkers. A longer one may take it out, but no sooner than it has lasted so long, and it is back in after it.
func (t *telling) absence() {
	t.t.Helper()
	borne := false
	for i, k := range t.phases(journal.SidecarKilled) {
		serves := t.phases(journal.SidecarServes)[i]
		rest := t.phases(journal.Rest)[i]
		p := phase{k.from, rest.from}
		changes := t.changes(t.name, "rs1", p)
		absence := serves.from - k.from
		switch {
		case t.blind || absence < t.Pace.Bearable(t.prompt):
			borne = true
			t.steady(t.name, "rs1", p)
			t.row[colSidecar] = staysIn(changes)
		case len(changes)%2 != 0:
			t.wrong("%s: rs1 was not back in when landmarkd had been away from %v until %v: %v", t.name, k.from, serves.from, changes)
		case len(changes) > 0:
			// Checks that were under way when it went away count from their beginning.
			if early := t.Pace.Bearable(t.prompt) - time.Second; changes[0]-k.from < early {
				t.wrong("%s: rs1 was out %v after landmarkd was killed, within the patience of its checkers", t.name, changes[0]-k.from)
			}
			t.outages = append(t.outages, phase{changes[0], changes[len(changes)-1]})
		}
	}
	if !borne {
		if t.prompt {
			// Its patience cannot be set, so to play again would show no more.
			t.t.Logf("%s: landmarkd was always away for longer than the %v that the way bears", t.name, t.Pace.Bearable(true))
			t.row[colSidecar] = "not shown"
			return
		}
		t.notShown("%s: landmarkd was away for longer than the %v that the way bears", t.name, t.Pace.Bearable(false))
	}
}
