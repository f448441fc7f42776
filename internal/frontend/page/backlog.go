package page

import "sync"

// maxBacklog is how many bytes of events may wait for all browsers, and be on their way.
const maxBacklog = 16 << 20

// event is a server-sent event. All pages that get it share it.
type event struct {
	text    []byte
	more    bool // the feed has more for the page, once it has taken this
	holders int  // the pages for which it waits or is on its way; guarded by backlog.mu
	ending  int  // of them, those that were cut off; guarded by backlog.mu
}

// backlog counts the bytes of events that wait for browsers or are on their way to them,
// each event once. Its zero value has none.
type backlog struct {
	mu     sync.Mutex
	bytes  int // guarded by mu
	ending int // of them, those that are only on their way to pages that were cut off; guarded by mu
}

// held is what a page has of the backlog.
type held struct {
	waiting int    // bytes; guarded by backlog.mu
	sending *event // nil = none; guarded by backlog.mu
	cut     bool   // guarded by backlog.mu
}

// size returns the bytes of all of it. The caller holds mu.
func (h *held) size() int {
	if h.sending == nil {
		return h.waiting
	}
	return h.waiting + len(h.sending.text)
}

// add records that the event waits for the page. It reports false, and adds nothing, if
// too much waits for it already. One event may have any size.
func (b *backlog) add(st *stream, e *event) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if st.held.waiting > 0 && st.held.waiting+len(e.text) > maxWaiting || len(st.queue) == cap(st.queue) {
		return false
	}
	st.held.waiting += len(e.text)
	b.change(e, 1, 0)
	return true
}

// take records that the event is on its way.
func (b *backlog) take(st *stream, e *event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st.held.waiting -= len(e.text)
	st.held.sending = e
	if st.held.cut {
		b.change(e, 0, 1)
		st.abort()
	}
}

// finish records that the event has been sent, or cannot be.
func (b *backlog) finish(st *stream, e *event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st.held.sending = nil
	if st.held.cut {
		b.change(e, -1, -1)
	} else {
		b.change(e, -1, 0)
	}
}

// change adds so many pages to those that have the event, and to those of them that were cut
// off. The caller holds mu.
func (b *backlog) change(e *event, holders, ending int) {
	b.count(e, -len(e.text))
	e.holders += holders
	e.ending += ending
	b.count(e, len(e.text))
}

// count adds n bytes where the event counts. The caller holds mu.
func (b *backlog) count(e *event, n int) {
	if e.holders == 0 {
		return
	}
	b.bytes += n
	if e.ending == e.holders {
		b.ending += n
	}
}

// cut ends what is on its way to a page that is cut off.
func (b *backlog) cut(st *stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st.held.cut = true
	if st.held.sending != nil {
		b.change(st.held.sending, 0, 1)
		st.abort()
	}
}

// drop drops what waits for a page that gets no more.
func (b *backlog) drop(st *stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		select {
		case e := <-st.queue:
			st.held.waiting -= len(e.text)
			b.change(e, -1, 0)
		default:
			return
		}
	}
}

// full reports whether there is more than may be.
func (b *backlog) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes-b.ending > maxBacklog
}

// most returns the page that has most of the backlog.
func (b *backlog) most(streams map[*stream]struct{}) (victim *stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for st := range streams {
		if victim == nil || st.held.size() > victim.held.size() {
			victim = st
		}
	}
	return victim
}
