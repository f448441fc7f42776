package checkers

import (
	"slices"
	"sync"
	"time"
)

const (
	// maxCheckers is how many checkers of one service are kept.
	maxCheckers = 32
	// minRetention is how long a checker that is not steady keeps its entry
	// after its last check, even if another checker needs one. It is long enough
	// for the next check.
	minRetention = 15 * time.Second
	// retention is how long a checker is kept after its last check.
	retention = 24 * time.Hour
	// maxName is how much of an unknown name is kept, in bytes. It is enough for
	// any service name.
	maxName = 100
)

// entry is one checker.
type entry struct {
	checker Checker
	name    []byte // the unknown name that it checks, else empty
	rateMeter
	watching       uint32        // watches that it holds
	watchingSince  time.Duration // when the first of them began
	reportedSilent bool          // Run has logged that it is silent
	wasSilentFor   time.Duration // how long it was silent, until Run has logged that it is back; else 0
}

// list is the checkers of one service. A steady checker keeps its entry while it
// checks, whatever else comes. A flood of forged sources reuses the entries of
// other forged sources, and that of a silent checker only if all the others are
// steady. If there is no entry to reuse, a new checker is not kept.
type list struct {
	mu        sync.Mutex
	entries   []entry       // guarded by mu, with all that is in them
	gate      GateState     // of the service; guarded by mu
	gateShut  bool          // there is a gate that is closed, or was one; guarded by mu
	gateSince time.Duration // since when gateShut is as it is; guarded by mu
}

// seenSince returns since when each check of the checker would have been seen, where
// awakeSince is since when the sidecar has run. No connection reaches a closed gate.
func (l *list) seenSince(e *entry, now, awakeSince time.Duration) time.Duration {
	switch {
	case e.checker.Via != Gate:
		return awakeSince
	case l.gateShut:
		return now
	}
	return max(awakeSince, l.gateSince)
}

// record records n checks, and reports whether the checker has become steady or
// is back from a silence.
func (l *list) record(c Checker, name []byte, n int, now time.Duration) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entryFor(c, name, now); e != nil {
		return e.record(n, now)
	}
	return false
}

func (e *entry) record(n int, now time.Duration) (changed bool) {
	steady := e.steady
	if e.reportedSilent {
		e.wasSilentFor, e.reportedSilent, changed = now-e.last, false, true
	}
	e.add(n, now)
	return changed || e.steady != steady
}

// beginWatch records the beginning of a watch. It reports whether there is an
// entry for it; only then the caller calls endWatch.
func (l *list) beginWatch(c Checker, now time.Duration) (held, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entryFor(c, nil, now)
	if e == nil {
		return false, false
	}
	changed = e.record(1, now)
	if e.watching == 0 {
		e.watchingSince = now
	}
	e.watching++
	return true, changed
}

// endWatch records the end of a watch, which counts as a check.
func (l *list) endWatch(c Checker, now time.Duration) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entryFor(c, nil, now) // not nil: a watching checker keeps its entry
	e.watching--
	e.last = max(e.last, now)
	e.steady = e.steady || now-e.watchingSince >= steadyTime
	return e.watching == 0 && e.steady
}

// entryFor returns the checker's entry. It adds one if there is none, or returns
// nil if there is no room. It allocates only while the list grows.
func (l *list) entryFor(c Checker, name []byte, now time.Duration) *entry {
	name = name[:min(len(name), maxName)]
	for i := range l.entries {
		if e := &l.entries[i]; e.checker.From == c.From && e.checker.Via == c.Via && string(e.name) == string(name) {
			return e
		}
	}
	var e *entry
	if len(l.entries) < maxCheckers {
		l.entries = append(l.entries, entry{})
		e = &l.entries[len(l.entries)-1]
	} else if e = l.reusableEntry(now); e == nil {
		return nil
	}
	*e = entry{checker: c, name: append(e.name[:0], name...)}
	return e
}

// reusableEntry returns the entry that a new checker may take, nil if there is
// none: of the checkers that are not steady, the one with the oldest check, if
// that is older than minRetention; if all are steady, the silent one with the
// oldest check.
func (l *list) reusableEntry(now time.Duration) *entry {
	var unsteady, silent *entry
	for i := range l.entries {
		switch e := &l.entries[i]; {
		case e.watching > 0:
		case !e.steady:
			unsteady = older(unsteady, e)
		case e.silent(now, l.seenSince(e, now, 0)):
			silent = older(silent, e)
		}
	}
	switch {
	case unsteady == nil:
		return silent
	case now-unsteady.last > minRetention:
		return unsteady
	}
	return nil
}

// older returns the entry with the older last check; e may be nil.
func older(e, other *entry) *entry {
	if e != nil && e.last <= other.last {
		return e
	}
	return other
}

// silent reports whether the checker is steady, but has stopped checking. Only
// the time since seenSince counts.
func (e *entry) silent(now, seenSince time.Duration) bool {
	return e.steady && e.watching == 0 && now-max(e.last, seenSince) > e.silentAfter()
}

// dropOld drops the entries whose last check is older than retention.
func (l *list) dropOld(now time.Duration) {
	kept := l.entries[:0]
	for _, e := range l.entries {
		if e.watching > 0 || now-e.last <= retention {
			kept = append(kept, e)
		}
	}
	clear(l.entries[len(kept):]) // no two entries may share the memory of a name
	l.entries = kept
}

// drop drops the entries of a checker, unless it watches.
func (l *list) drop(c Checker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.checker == c && e.watching == 0 })
}
