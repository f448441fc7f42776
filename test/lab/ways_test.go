//go:build lab

package lab

import (
	"testing"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// The columns of the table of ways.
const (
	colWay       = "way"
	colForward   = "forwards by"
	colHang      = "hang: out, back in"
	colDeath     = "death: out, back in"
	colFreeze    = "freeze: out, back in"
	colCut       = "network cut: out, back in"
	colDrain     = "drain: out"
	colBroken    = "connections broken"
	colMisrouted = "new misrouted"
	colSidecar   = "landmarkd restarted"
	colWatch     = "landmark-watch restarted"
	colDirector  = "keepalived restarted"
	colRamp      = "slow start"
	colFailed    = "requests failed"
)

// wayTable is the table of ways.
var wayTable = table{columns: []string{colWay, colForward, colHang, colDeath, colFreeze, colCut, colDrain, colBroken, colMisrouted,
	colSidecar, colWatch, colDirector, colRamp, colFailed}}

// way is one way of checking, and what is expected of it.
type way struct {
	name     string // in the journal
	title    string // for people
	forward  string // how packets are forwarded
	weight   int    // what the weight grows to, where weights are carried
	pushed   bool   // landmarkd sends changes at once
	removes  bool   // removes servers from the table, and so breaks their connections
	restarts int    // of landmarkd must be shown to change nothing; 0 is one
	control  bool   // only opens a connection, and so does not detect a hang
}

// check checks the way in the findings, and adds its row to the table.
func (w way) check(s *findings) {
	row := map[string]string{colWay: w.title, colForward: w.forward}
	t := &wayCheck{findings: s, way: w, row: row, in: map[string]string{}}
	t.pair(journal.Hung, journal.Freed, colHang, !w.control)
	t.pair(journal.Killed, journal.Started, colDeath, true)
	t.pair(journal.Frozen, journal.Thawed, colFreeze, !w.control)
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

// assertControlFails records a problem if no request through the control failed while rs1 hung. The other ways' clients
// then never met the hang either, and the run shows nothing.
func (s *findings) assertControlFails(control string) {
	s.t.Helper()
	hung := s.only(journal.Hung)
	if len(failed(s.requests(control, hung))) == 0 {
		s.errorf("%s: failed requests while rs1 hung: got none, want some, or the run shows nothing", control)
	}
}

// TestPushed measures milliseconds, so only the scenario "defaults", which mostly waits, runs at the same time.
func TestPushed(t *testing.T) {
	t.Run("pushed", func(t *testing.T) {
		t.Parallel()
		playAndCheck(t, "pushed", func(s *findings) {
			for _, w := range []way{
				{name: journal.File, title: "keepalived FILE_CHECK, landmark-watch", forward: "NAT", pushed: true},
				{name: journal.FileWeight, title: "the same with weights", forward: "DR", pushed: true, weight: journal.Weight},
			} {
				w.check(s)
			}
		})
	})
	t.Run("defaults", func(t *testing.T) {
		t.Parallel()
		playAndCheck(t, "defaults", func(s *findings) {
			way{name: journal.TCPDefaults, title: "control: TCP_CHECK, all defaults", forward: "NAT", control: true}.check(s)
			s.assertControlFails(journal.TCPDefaults)
		})
	})
}

// TestBFD measures milliseconds too, so it runs alone.
func TestBFD(t *testing.T) {
	playAndCheck(t, "bfd", func(s *findings) {
		for _, w := range []way{
			{name: journal.BFD, title: "keepalived BFD_CHECK", forward: "NAT", pushed: true, restarts: journal.Restarts},
			{name: journal.Gate, title: "keepalived TCP_CHECK of a gate", forward: "NAT", restarts: journal.Restarts},
		} {
			w.check(s)
		}
	})
}

func TestKeepalived(t *testing.T) {
	t.Parallel()
	playAndCheck(t, "keepalived", func(s *findings) {
		for _, w := range []way{
			{name: journal.UDP, title: "keepalived UDP_CHECK", forward: "NAT"},
			{name: journal.UDPDirect, title: "keepalived UDP_CHECK", forward: "DR"},
			{name: journal.TCP, title: "control: keepalived TCP_CHECK", forward: "NAT", control: true},
		} {
			w.check(s)
		}
		s.assertControlFails(journal.TCP)
	})
}

func TestMiscCheck(t *testing.T) {
	t.Parallel()
	playAndCheck(t, "misc", func(s *findings) {
		way{name: journal.Misc, title: "keepalived MISC_CHECK, landmark-check", forward: "NAT", weight: journal.Weight}.check(s)
	})
}

func TestLdirectord(t *testing.T) {
	t.Parallel()
	playAndCheck(t, "ldirectord", func(s *findings) {
		for _, w := range []way{
			{name: journal.External, title: "ldirectord external, quiescent", forward: "NAT"},
			{name: journal.SimpleTCP, title: "ldirectord simpletcp, not quiescent", forward: "NAT", removes: true},
			{name: journal.SimpleTCPDirect, title: "ldirectord simpletcp, quiescent", forward: "DR"},
		} {
			w.check(s)
		}
	})
}

func TestOthers(t *testing.T) {
	t.Parallel()
	playAndCheck(t, "others", func(s *findings) {
		for _, w := range []way{
			{name: journal.HAProxyTCP, title: "HAProxy tcp-check", forward: "proxy"},
			{name: journal.HAProxyAgent, title: "HAProxy tcp-check and agent-check", forward: "proxy", weight: 100},
			{name: journal.CompareUDP, title: "comparing 5 bytes by UDP", forward: "NAT"},
			{name: journal.CompareTCP, title: "comparing 5 bytes by TCP", forward: "NAT"},
		} {
			w.check(s)
		}
	})
}
