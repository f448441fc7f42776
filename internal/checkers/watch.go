package checkers

// Watch is a watch that a checker holds. The checker is not silent until the
// watch ends, however rarely it gets an answer. A Watch is for one goroutine at
// a time.
type Watch struct {
	tracker         *Tracker
	checker         Checker
	list            *list // that holds the watch, nil if none does
	recordedUnknown bool  // whether a check of an unknown name was recorded
}

// Watch starts a watch. The caller must call End.
func (t *Tracker) Watch(c Checker) *Watch { return &Watch{tracker: t, checker: c} }

// Record records what the watch is about. Call it with each answer that the
// checker gets, since a name may become known. It costs little if nothing has
// changed.
func (w *Watch) Record(q Check) {
	t := w.tracker
	if !q.Known {
		if !w.recordedUnknown {
			w.recordedUnknown = true
			t.Record(q, w.checker, t.now())
		}
		return
	}
	l := t.listOf(q.Service)
	if l == w.list {
		return
	}
	w.End()
	held, changed := l.beginWatch(w.checker, t.now())
	if held {
		w.list = l
	}
	if changed {
		t.wake()
	}
}

// End ends the watch. It may be called more than once.
func (w *Watch) End() {
	if w.list != nil && w.list.endWatch(w.checker, w.tracker.now()) {
		w.tracker.wake()
	}
	w.list = nil
}
