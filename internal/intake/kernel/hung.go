package kernel

import "sync"

// hung counts the reads that were abandoned and have not ended. Its zero value has none.
type hung struct {
	mu    sync.Mutex
	all   int            // guarded by mu
	users map[uint32]int // guarded by mu
}

// room reports whether a process of the user may be read.
func (h *hung) room(uid uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all < maxHung && h.users[uid] < userHung
}

// start begins a read.
func (h *hung) start(uid uint32) *oneRead { return &oneRead{hung: h, uid: uid} }

// oneRead is a read of one process. It counts from abandon to end.
type oneRead struct {
	hung             *hung
	uid              uint32
	abandoned, ended bool // guarded by hung.mu
}

// abandon counts the read, unless it has ended.
func (r *oneRead) abandon() {
	r.hung.mu.Lock()
	defer r.hung.mu.Unlock()
	if r.ended {
		return
	}
	r.abandoned = true
	if r.hung.users == nil {
		r.hung.users = make(map[uint32]int)
	}
	r.hung.all++
	r.hung.users[r.uid]++
}

// end ends the read.
func (r *oneRead) end() {
	r.hung.mu.Lock()
	defer r.hung.mu.Unlock()
	if r.ended = true; !r.abandoned {
		return
	}
	r.hung.all--
	if r.hung.users[r.uid]--; r.hung.users[r.uid] == 0 {
		delete(r.hung.users, r.uid)
	}
}
