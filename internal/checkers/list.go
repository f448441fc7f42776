package checkers

import (
	"sync"
	"time"
)

const (
	// maxCheckers is how many checkers of one service are remembered.
	maxCheckers = 32
	// proof is how long a checker that is not steady keeps its place after its
	// last question, even if another could use it: long enough to ask again.
	proof = 15 * time.Second
	// remembered is how long after its last question a checker is told of.
	remembered = 24 * time.Hour
	// maxName is how much of a name that nobody knows is kept, in bytes: any
	// that a checker could have meant fits in.
	maxName = 100
)

// entry is one checker.
type entry struct {
	checker Checker
	name    []byte // that it asks for, where nobody knows it, else empty
	pace
	watching uint32        // watches that it holds
	held     time.Duration // when the first of them was begun
	missed   bool          // it was told to be silent
	away     time.Duration // how long it was silent, if it is back and that is to be told
}

// list is the checkers of one service. Who is steady keeps its place for as long
// as it asks, whatever else comes: a flood of forged sources takes the place of
// its like, and of a silent checker only where all the others are steady. If
// there is no such place, the newcomer is not remembered.
type list struct {
	mu      sync.Mutex
	entries []entry // guarded by mu, as all that is in them
}

// note takes a question, and reports whether somebody has become steady, or is
// back.
func (l *list) note(a Checker, name []byte, now time.Duration) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.place(a, name, now); e != nil {
		return e.note(now)
	}
	return false
}

func (e *entry) note(now time.Duration) (news bool) {
	steady := e.steady
	if e.missed {
		e.away, e.missed, news = now-e.last, false, true
	}
	e.ask(now)
	return news || e.steady != steady
}

// hold takes the begin of a watch, and reports whether there was a place for
// it; release is due only then.
func (l *list) hold(a Checker, now time.Duration) (held, news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.place(a, nil, now)
	if e == nil {
		return false, false
	}
	news = e.note(now)
	if e.watching == 0 {
		e.held = now
	}
	e.watching++
	return true, news
}

// release takes the end of a watch. Who watches is asking until then.
func (l *list) release(a Checker, now time.Duration) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.place(a, nil, now) // it is there: who watches keeps its place
	e.watching--
	e.last = max(e.last, now)
	e.steady = e.steady || now-e.held >= steadyTime
	return e.watching == 0 && e.steady
}

// place returns the checker's place, made if it has none, or nil if there is
// none to be had. It allocates only while the list grows.
func (l *list) place(a Checker, name []byte, now time.Duration) *entry {
	name = name[:min(len(name), maxName)]
	for i := range l.entries {
		if e := &l.entries[i]; e.checker.From == a.From && e.checker.Via == a.Via && string(e.name) == string(name) {
			return e
		}
	}
	var e *entry
	if len(l.entries) < maxCheckers {
		l.entries = append(l.entries, entry{})
		e = &l.entries[len(l.entries)-1]
	} else if e = l.free(now); e == nil {
		return nil
	}
	*e = entry{checker: a, name: append(e.name[:0], name...)}
	return e
}

// free returns the place that a newcomer may take: that of the checker which has
// not asked for longest, of those that are not steady, once it had the time to
// ask again; where all are steady, of those that are silent.
func (l *list) free(now time.Duration) *entry {
	var passing, silent *entry
	for i := range l.entries {
		switch e := &l.entries[i]; {
		case e.watching > 0:
		case !e.steady:
			passing = earlier(passing, e)
		case e.silent(now, 0):
			silent = earlier(silent, e)
		}
	}
	switch {
	case passing == nil:
		return silent
	case now-passing.last > proof:
		return passing
	}
	return nil
}

// earlier returns the one whose last question was earlier; e may be nil.
func earlier(e, other *entry) *entry {
	if e != nil && e.last <= other.last {
		return e
	}
	return other
}

// silent reports whether the checker is steady and yet does not ask. Only the
// time since the sidecar was awake counts.
func (e *entry) silent(now, awake time.Duration) bool {
	return e.steady && e.watching == 0 && now-max(e.last, awake) > e.patience()
}

// forget drops those whose last question is too long ago.
func (l *list) forget(now time.Duration) {
	kept := l.entries[:0]
	for _, e := range l.entries {
		if e.watching > 0 || now-e.last <= remembered {
			kept = append(kept, e)
		}
	}
	clear(l.entries[len(kept):]) // two of them must not share the room for a name
	l.entries = kept
}
