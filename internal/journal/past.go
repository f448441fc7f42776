package journal

import (
	"slices"
	"sync"
	"time"
)

const (
	// MaxEntries is the number of changes of each service that are remembered.
	MaxEntries = 256
	// maxPast limits the memory of all entries, in bytes.
	maxPast = 16 << 20
	// pastAge is how long entries are remembered.
	pastAge = 24 * time.Hour
)

// Entry is one change of a service's verdicts.
type Entry struct {
	Time time.Time
	// Own means that this landmarkd has seen the change. Others are what the journal says
	// of an earlier one.
	Own bool
	// Change is what the verdicts are since. It is immutable.
	*Change
}

// past is the entries of the last day. The zero value is empty.
type past struct {
	mu        sync.Mutex
	byService map[string][]Entry // guarded by mu, each in the order of time
	size      int                // guarded by mu
}

// add adds an entry of the service, as the latest.
func (p *past) add(service string, e Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byService == nil {
		p.byService = make(map[string][]Entry)
	}
	entries := append(p.byService[service], e)
	p.size += e.size()
	drop := 0
	for len(entries)-drop > MaxEntries || drop < len(entries)-1 && (e.Time.Sub(entries[drop].Time) > pastAge || p.size > maxPast) {
		p.size -= entries[drop].size()
		drop++
	}
	p.byService[service] = slices.Delete(entries, 0, drop)
}

// since returns the entries of the service that are no older than t.
func (p *past) since(service string, t time.Time) []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	entries := p.byService[service]
	i := slices.IndexFunc(entries, func(e Entry) bool { return !e.Time.Before(t) })
	if i < 0 {
		return nil
	}
	return slices.Clone(entries[i:])
}

// size returns the memory that the entry takes, in bytes, roughly.
func (e Entry) size() int {
	n := 400
	for _, v := range e.Verdicts() {
		n += len(v.Reason)
	}
	for _, l := range e.Landmarks {
		n += 120 + len(l.Name) + len(l.Reason)
	}
	return n
}
