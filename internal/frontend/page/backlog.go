package page

import "sync"

// maxBacklog is how many bytes of events may wait for all browsers, and be on their way.
const maxBacklog = 16 << 20

// event is a server-sent event. All pages that get it share it.
type event struct {
	text    []byte
	more    bool // the feed has more for the page, once it has taken this
	holders int  // the pages for which it waits or is on its way; guarded by backlog.mu
}

// backlog counts the bytes of events that wait for browsers or are on their way to them,
// each event once. Its zero value has none.
type backlog struct {
	mu     sync.Mutex
	bytes  int // guarded by mu
	ending int // of them, those on their way to pages that were cut off; guarded by mu
}

// held is what a page has of the backlog.
type held struct {
	waiting int  // bytes; guarded by backlog.mu
	sending int  // bytes; guarded by backlog.mu
	cut     bool // guarded by backlog.mu
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
	if e.holders++; e.holders == 1 {
		b.bytes += len(e.text)
	}
	return true
}

// take records that the event is on its way.
func (b *backlog) take(st *stream, e *event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st.held.waiting -= len(e.text)
	st.held.sending = len(e.text)
	if st.held.cut {
		b.ending += len(e.text)
		st.abort()
	}
}

// finish records that the event has been sent, or cannot be.
func (b *backlog) finish(st *stream, e *event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if st.held.cut {
		b.ending -= st.held.sending
	}
	st.held.sending = 0
	b.release(e)
}

// release releases the event for one page. The caller holds mu.
func (b *backlog) release(e *event) {
	if e.holders--; e.holders == 0 {
		b.bytes -= len(e.text)
	}
}

// cut ends what is on its way to a page that is cut off.
func (b *backlog) cut(st *stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st.held.cut = true
	if st.held.sending > 0 {
		b.ending += st.held.sending
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
			b.release(e)
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
		if victim == nil || st.held.waiting+st.held.sending > victim.held.waiting+victim.held.sending {
			victim = st
		}
	}
	return victim
}
