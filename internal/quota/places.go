package quota

import "sync"

// Places are places that clients hold for a while. A client may hold no more of them than are
// free. So one alone gets half of them, and the next half of what is left. Its methods may be
// called by any number of goroutines at once.
type Places struct {
	limit int

	mu    sync.Mutex
	held  map[any]int // by client, without zeros; guarded by mu
	taken int         // guarded by mu
}

// NewPlaces returns so many places, all of them free.
func NewPlaces(limit int) *Places { return &Places{limit: limit, held: make(map[any]int)} }

// Take gives the client a place, which it must give back. It reports whether it did. The
// client is a value that can be compared.
func (p *Places) Take(client any) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[client] >= p.limit-p.taken {
		return false
	}
	p.held[client]++
	p.taken++
	return true
}

// GiveBack gives back a place that Take gave.
func (p *Places) GiveBack(client any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.held[client]--; p.held[client] == 0 {
		delete(p.held, client)
	}
}

// Taken returns how many places are held.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
