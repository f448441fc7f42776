package checkers

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Peering is what is configured of a BFD session.
type Peering struct {
	Name        string // that the session follows, such as epg or epg-liveness
	Peer, Local netip.Addr
}

// BFDState is the state of a BFD session.
type BFDState struct {
	Up        bool
	PeerAlive bool   // packets of the peer arrive
	Why       string // it is not Up
}

// BFDSession is the record of a BFD session. Its peer is a checker, which watches while
// its packets arrive. Unlike other checkers it is configured, so the session is known
// before the peer has sent anything. A BFDSession is for one goroutine at a time.
type BFDSession struct {
	watch   *Watch
	peering Peering
	// Only Record changes these, and only under the Tracker's bfdMu.
	state BFDState
	since time.Duration // when Up or PeerAlive changed, or the session began
}

// BFDStats describes a BFD session.
type BFDStats struct {
	Peering
	BFDState
	SinceChange time.Duration // since Up or PeerAlive changed, or the session began
}

// BFDSession begins the record of a session. The caller must call End.
func (t *Tracker) BFDSession(p Peering) *BFDSession {
	s := &BFDSession{
		watch:   t.Watch(Checker{From: p.Peer, Via: BFD}),
		peering: p,
		state:   BFDState{Why: "the status of the service is not known yet"},
		since:   t.now(),
	}
	t.bfdMu.Lock()
	defer t.bfdMu.Unlock()
	t.bfdSessions = append(t.bfdSessions, s)
	return s
}

// Record records the state of the session, and what its peer checks. It costs little if
// nothing has changed.
func (s *BFDSession) Record(q Check, state BFDState) {
	if state.PeerAlive {
		s.watch.Record(q)
	} else {
		s.watch.End()
	}
	if state == s.state {
		return
	}
	t := s.watch.tracker
	t.bfdMu.Lock()
	defer t.bfdMu.Unlock()
	if state.Up != s.state.Up || state.PeerAlive != s.state.PeerAlive {
		s.since = t.now()
	}
	s.state = state
}

// End ends the record, because there is no such session any more. Then its peer
// is not called silent.
func (s *BFDSession) End() {
	t, l := s.watch.tracker, s.watch.list
	s.watch.End()
	if l != nil {
		l.drop(s.watch.checker)
	}
	t.bfdMu.Lock()
	defer t.bfdMu.Unlock()
	t.bfdSessions = slices.DeleteFunc(t.bfdSessions, func(other *BFDSession) bool { return other == s })
}

// BFDSessions returns all BFD sessions. Those without packets of their peer come first,
// then they are sorted by name and addresses.
func (t *Tracker) BFDSessions() []BFDStats {
	t.bfdMu.Lock()
	defer t.bfdMu.Unlock()
	now := t.now()
	all := make([]BFDStats, len(t.bfdSessions))
	for i, s := range t.bfdSessions {
		all[i] = BFDStats{Peering: s.peering, BFDState: s.state, SinceChange: max(0, now-s.since)}
	}
	slices.SortFunc(all, func(a, b BFDStats) int {
		if a.PeerAlive != b.PeerAlive {
			if b.PeerAlive {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(a.Name, b.Name), a.Peer.Compare(b.Peer), a.Local.Compare(b.Local))
	})
	return all
}
