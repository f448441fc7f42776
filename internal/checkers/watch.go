package checkers

// Watch is a watch that a checker holds: however little it says, it is not
// silent until the end. It is for one goroutine at a time.
type Watch struct {
	memory  *Tracker
	checker Checker
	held    *list // nil if it is not remembered
	noted   bool  // as one for an unknown name
}

// Watch begins a watch. End must end it.
func (m *Tracker) Watch(a Checker) *Watch { return &Watch{memory: m, checker: a} }

// Record takes it that the watch is a question of this kind. It is to be called
// whenever the checker is told something, for a name may become known, and costs
// little where nothing has changed.
func (w *Watch) Record(q Check) {
	m := w.memory
	if !q.Known {
		if !w.noted {
			w.noted = true
			m.Record(q, w.checker, m.now())
		}
		return
	}
	l := m.of(q.Service)
	if l == w.held {
		return
	}
	w.End()
	held, news := l.hold(w.checker, m.now())
	if held {
		w.held = l
	}
	if news {
		m.wake()
	}
}

// End ends the watch.
func (w *Watch) End() {
	if w.held != nil && w.held.release(w.checker, w.memory.now()) {
		w.memory.wake()
	}
	w.held = nil
}
