package journal

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// MaxEntries is the number of changes of each service that are remembered.
	MaxEntries = 256
	// maxPast limits the memory of all entries, in bytes.
	maxPast = 8 << 20
	// PastAge is how long entries are remembered.
	PastAge = 24 * time.Hour
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
	byService map[string]*changes // guarded by mu
	size      int                 // of all; guarded by mu
	roomTo    int                 // the size above which to make room, 0 = maxPast; guarded by mu
}

// changes are the entries of one service.
type changes struct {
	entries []Entry // in the order of time; never empty
	size    int
	owner   uint32
	known   bool // this landmarkd knows the service
}

// noOwner is the owner of services of which no owner is known.
const noOwner = math.MaxUint32

// owner returns the owner of the line's service.
func (l *Line) owner() uint32 {
	if l.Owner == nil {
		return noOwner
	}
	return *l.Owner
}

// of returns the entries of the service, to which some are added. If it has none yet, it is
// the owner's. The caller holds mu.
func (p *past) of(service string, owner uint32) *changes {
	c := p.byService[service]
	if c == nil {
		if p.byService == nil {
			p.byService = make(map[string]*changes)
		}
		c = &changes{owner: owner}
		p.byService[service] = c
	}
	return c
}

// add adds an entry of the owner's service, as the latest.
func (p *past) add(service string, owner uint32, e Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.of(service, owner)
	c.owner, c.known = owner, c.known || e.Own
	c.entries = append(c.entries, e)
	p.grow(c, e.size(service))
	p.trim(service, c)
	p.makeRoom(e.Time)
}

// forget records that the service is not known any more.
func (p *past) forget(service string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.byService[service]; c != nil {
		c.known = false
	}
}

// addEarlier adds the entries of earlier runs before its own.
func (p *past) addEarlier(earlier *past) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for service, before := range earlier.byService {
		c := p.of(service, before.owner)
		c.entries = append(before.entries, c.entries...)
		p.grow(c, before.size)
		p.trim(service, c)
	}
	p.makeRoom(time.Now())
}

// grow counts the memory of the service's entries. The caller holds mu.
func (p *past) grow(c *changes, n int) {
	c.size += n
	p.size += n
}

// trim drops the oldest entries of the service that are too many. The caller holds mu.
func (p *past) trim(service string, c *changes) {
	if n := len(c.entries) - MaxEntries; n > 0 {
		p.drop(service, c, n)
	}
}

// drop drops the n oldest entries of the service. The caller holds mu.
func (p *past) drop(service string, c *changes, n int) {
	for _, e := range c.entries[:n] {
		p.grow(c, -e.size(service))
	}
	if n == len(c.entries) {
		delete(p.byService, service)
		return
	}
	c.entries = slices.Delete(c.entries, 0, n)
	if cap(c.entries) > 2*len(c.entries) {
		c.entries = slices.Clone(c.entries) // the memory of what was dropped is not counted any more
	}
}

// since returns the entries of the service that are no older than t.
func (p *past) since(service string, t time.Time) []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.byService[service]
	if c == nil {
		return nil
	}
	entries := c.entries
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
