//go:build lab

package lab

import (
	"testing"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// The columns of the table of ways.
const (
	colWay      = "way"
	colForward  = "forwards by"
	colHang     = "hang: out, back in"
	colDeath    = "death: out, back in"
	colFreeze   = "freeze: out, back in"
	colCut      = "network cut: out, back in"
	colDrain    = "drain: out"
	colBroken   = "connections broken"
	colStrayed  = "new ones astray"
	colSidecar  = "landmarkd restarted"
	colWatch    = "landmark-watch restarted"
	colDirector = "keepalived restarted"
	colRamp     = "slow start"
	colFailed   = "requests failed"
)

// found is the table of ways.
var found = sheet{columns: []string{colWay, colForward, colHang, colDeath, colFreeze, colCut, colDrain, colBroken, colStrayed,
	colSidecar, colWatch, colDirector, colRamp, colFailed}}

// way is what is expected of one way.
type way struct {
	name    string // in the journal
	title   string // for people
	forward string // how packets are forwarded
	weight  int    // what the weight grows to, where weights are carried
	prompt  bool   // told at once
	removes bool   // removes servers, and with them their connections
	blind   bool   // opens a connection and asks nothing: the control
}

// judge judges the way by the story, and adds what it found to the table.
func (w way) judge(s *story) {
	row := map[string]string{colWay: w.title, colForward: w.forward}
	t := &telling{story: s, way: w, row: row, in: map[string]string{}}
	t.pair(journal.Wedged, journal.Freed, colHang, !w.blind)
	t.pair(journal.Killed, journal.Started, colDeath, true)
	t.pair(journal.Frozen, journal.Thawed, colFreeze, !w.blind)
	t.pair(journal.Cut, journal.Restored, colCut, true)
	t.quick()
	t.drain()
	t.sidecar()
	t.watch()
	t.director()
	t.ramp()
	t.clients()
	t.other()
	s.rows = append(s.rows, row)
}

// hearsNothing takes it down if no client of the control was left waiting at a hanging server while the asking way
// had it out: the clients then never met it, and the run shows nothing.
func (s *story) hearsNothing(control string) {
	s.t.Helper()
	wedged := s.only(journal.Wedged)
	if len(failed(s.requests(control, wedged))) == 0 {
		s.wrong("%s: no request failed while rs1 hung in the table: the clients never met it, and the run shows nothing", control)
	}
}

// TestPushed has the machine to itself, for here milliseconds count; beside it stand only the defaults, which mostly wait.
func TestPushed(t *testing.T) {
	t.Run("pushed", func(t *testing.T) {
		t.Parallel()
		tell(t, "pushed", func(s *story) {
			for _, w := range []way{
				{name: journal.File, title: "keepalived FILE_CHECK, landmark-watch", forward: "NAT", prompt: true},
				{name: journal.FileWeight, title: "the same with weights", forward: "DR", prompt: true, weight: journal.Weight},
			} {
				w.judge(s)
			}
		})
	})
	t.Run("defaults", func(t *testing.T) {
		t.Parallel()
		tell(t, "defaults", func(s *story) {
			way{name: journal.TCPDefaults, title: "control: TCP_CHECK, all defaults", forward: "NAT", blind: true}.judge(s)
			s.hearsNothing(journal.TCPDefaults)
		})
	})
}

func TestKeepalived(t *testing.T) {
	t.Parallel()
	tell(t, "keepalived", func(s *story) {
		for _, w := range []way{
			{name: journal.UDP, title: "keepalived UDP_CHECK", forward: "NAT"},
			{name: journal.UDPDirect, title: "keepalived UDP_CHECK", forward: "DR"},
			{name: journal.TCP, title: "control: keepalived TCP_CHECK", forward: "NAT", blind: true},
		} {
			w.judge(s)
		}
		s.hearsNothing(journal.TCP)
	})
}

func TestMiscCheck(t *testing.T) {
	t.Parallel()
	tell(t, "misc", func(s *story) {
		way{name: journal.Misc, title: "keepalived MISC_CHECK, landmark-check", forward: "NAT", weight: journal.Weight}.judge(s)
	})
}

func TestLdirectord(t *testing.T) {
	t.Parallel()
	tell(t, "ldirectord", func(s *story) {
		for _, w := range []way{
			{name: journal.External, title: "ldirectord external, quiescent", forward: "NAT"},
			{name: journal.SimpleTCP, title: "ldirectord simpletcp, not quiescent", forward: "NAT", removes: true},
			{name: journal.SimpleTCPDirect, title: "ldirectord simpletcp, quiescent", forward: "DR"},
		} {
			w.judge(s)
		}
	})
}

func TestOthers(t *testing.T) {
	t.Parallel()
	tell(t, "others", func(s *story) {
		for _, w := range []way{
			{name: journal.HAProxyTCP, title: "HAProxy tcp-check", forward: "proxy"},
			{name: journal.HAProxyAgent, title: "HAProxy tcp-check and agent-check", forward: "proxy", weight: 100},
			{name: journal.CompareUDP, title: "comparing 5 bytes by UDP", forward: "NAT"},
			{name: journal.CompareTCP, title: "comparing 5 bytes by TCP", forward: "NAT"},
		} {
			w.judge(s)
		}
	})
}
