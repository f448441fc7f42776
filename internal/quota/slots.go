package quota

import "sync"

// Slots are slots that clients hold for a while. A client may hold no more of them than are
// free. So one alone gets half of them, and the next half of what is left. Its methods may be called by any number of goroutines at once.
type Slots struct {
	limit int

	mu    sync.Mutex
	held  map[any]int // by client, without zeros; guarded by mu
	taken int         // guarded by mu
}

// NewSlots returns so many slots, all of them free.
func NewSlots(limit int) *Slots { return &Slots{limit: limit, held: make(map[any]int)} }

// Take gives the client a slot, which it must give back. It reports whether it did. The
// client is a value that can be compared.
func (s *Slots) Take(client any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[client] >= s.limit-s.taken {
		return false
	}
	s.held[client]++
	s.taken++
	return true
}

// GiveBack gives back a slot that Take gave.
func (s *Slots) GiveBack(client any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.held[client]--; s.held[client] == 0 {
		delete(s.held, client)
	}
}

// Taken returns how many slots are held.
func (s *Slots) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}
