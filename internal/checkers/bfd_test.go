package checkers

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// peering returns a session of a name with the peer.
func peering(name, peer string) Peering {
	return Peering{name, netip.MustParseAddr(peer), netip.MustParseAddr("10.0.0.7")}
}

func wantSessions(t *testing.T, m *Tracker, want ...BFDStats) {
	t.Helper()
	if diff := cmp.Diff(want, m.BFDSessions(), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBFDSessionsShowSinceWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		up, hung := BFDState{Up: true, PeerAlive: true}, BFDState{PeerAlive: true, Why: "the service does not serve"}
		silent := BFDState{Why: "the peer is silent"}
		a := m.BFDSession(peering("epg", "10.0.0.1"))
		b := m.BFDSession(peering("epg", "10.0.0.2"))
		unknown := BFDState{Why: "the status of the service is not known yet"}
		time.Sleep(time.Second)
		wantSessions(t, m,
			BFDStats{a.peering, unknown, time.Second},
			BFDStats{b.peering, unknown, time.Second})

		for range 3 {
			a.Record(about("epg"), up)
			b.Record(about("epg"), silent)
			time.Sleep(time.Second)
		}
		wantSessions(t, m, // the missing peer first
			BFDStats{b.peering, silent, 4 * time.Second},
			BFDStats{a.peering, up, 3 * time.Second})

		// The state has changed, then only the reason.
		a.Record(about("epg"), hung)
		time.Sleep(time.Second)
		answering := BFDState{PeerAlive: true, Why: "the peer has not answered"}
		a.Record(about("epg"), answering)
		b.End()
		wantSessions(t, m, BFDStats{a.peering, answering, time.Second})

		// Still Down, but the peer is gone.
		a.Record(about("epg"), silent)
		wantSessions(t, m, BFDStats{a.peering, silent, 0})
		a.End()
		wantSessions(t, m)
	})
}

// The peer is a checker as far as the log is concerned, and is listed once: as a
// session.
func TestSilenceOfBFDPeerIsLogged(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		s := m.BFDSession(peering("epg", "10.0.0.1"))
		defer s.End()
		s.Record(about("epg"), BFDState{Up: true, PeerAlive: true})
		time.Sleep(time.Hour)
		s.Record(about("epg"), BFDState{Why: "the peer is silent"})
		wantLog(t, log)
		time.Sleep(12 * time.Second)
		wantLog(t, log, "level=WARN msg=\"a checker has fallen silent\" service=epg checker=10.0.0.1 by=bfd silent_for=11s\n")
		s.Record(Check{Name: []byte("epg")}, BFDState{PeerAlive: true, Why: "the service does not serve"})
		if got, unknown := m.ByService("epg"), m.Unknown(); len(got) > 0 || len(unknown) > 0 {
			t.Errorf("the peer is among the checkers: %+v, %+v", got, unknown)
		}
	})
}

// A session that is removed leaves no silent checker. Another one with the same peer
// keeps it.
func TestEndOfBFDSessionIsNoSilence(t *testing.T) {
	logging(t, func(t *testing.T, m *Tracker, log func() string) {
		up := BFDState{Up: true, PeerAlive: true}
		removed, kept := m.BFDSession(peering("epg", "10.0.0.1")), m.BFDSession(peering("epg", "10.0.0.1"))
		removed.Record(about("epg"), up)
		time.Sleep(time.Second)
		kept.Record(about("epg"), up)
		time.Sleep(time.Minute)
		removed.End()
		time.Sleep(time.Minute)
		wantLog(t, log)
		kept.Record(about("epg"), BFDState{Why: "the peer is silent"})
		time.Sleep(12 * time.Second)
		wantLog(t, log, "level=WARN msg=\"a checker has fallen silent\" service=epg checker=10.0.0.1 by=bfd silent_for=11s checks_per_second=1\n")
		kept.Record(about("epg"), up)
		wantLog(t, log, "level=INFO msg=\"a checker is back\" service=epg checker=10.0.0.1 by=bfd silent_for=12s\n")
		kept.End()
		time.Sleep(time.Hour)
		wantLog(t, log)
	})
}
