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
	maxPast = 8 << 20
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
	p.byService[service] = append(p.byService[service], e)
	p.size += e.size(service)
	p.trim(service)
	if p.size > maxPast {
		p.sweep(e.Time)
	}
}

// addEarlier adds the entries of earlier runs before its own.
func (p *past) addEarlier(earlier *past) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byService == nil {
		p.byService = make(map[string][]Entry)
	}
	for service, entries := range earlier.byService {
		p.byService[service] = append(entries, p.byService[service]...)
		p.trim(service)
	}
	p.size += earlier.size
	if p.size > maxPast {
		p.sweep(time.Now())
	}
}

// trim drops the oldest entries of the service that are too many. The caller holds mu.
func (p *past) trim(service string) {
	entries := p.byService[service]
	if n := len(entries) - MaxEntries; n > 0 {
		p.drop(service, n)
	}
}

// drop drops the n oldest entries of the service. The caller holds mu.
func (p *past) drop(service string, n int) {
	entries := p.byService[service]
	for _, e := range entries[:n] {
		p.size -= e.size(service)
	}
	if n == len(entries) {
		delete(p.byService, service)
		return
	}
	p.byService[service] = slices.Delete(entries, 0, n)
}

// sweep drops what is older than a day, and then, while there is too much, the older half
// of what each service has. The caller holds mu.
func (p *past) sweep(now time.Time) {
	for service, entries := range p.byService {
		n := slices.IndexFunc(entries, func(e Entry) bool { return now.Sub(e.Time) <= pastAge })
		if n < 0 {
			n = len(entries)
		}
		p.drop(service, n)
	}
	for p.size > maxPast*3/4 {
		for service, entries := range p.byService {
			p.drop(service, (len(entries)+1)/2)
		}
	}
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
func (e Entry) size(service string) int {
	n := 400 + len(service)
	for _, v := range e.Verdicts() {
		n += len(v.Reason)
	}
	for _, l := range e.Landmarks {
		n += 120 + len(l.Name) + len(l.Reason)
	}
	return n
}
