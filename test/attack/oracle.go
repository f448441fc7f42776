package main

import (
	"sync"
	"time"
)

// truth is what an honest service really is.
type truth int

const (
	unsure    truth = iota // it is changing, or the machine was too slow to say
	healthy                // it must be answered as SERVING
	unhealthy              // it must never be
)

// span is a time with a beginning and an end.
type span struct{ from, to time.Time }

func (s span) overlaps(from, to time.Time) bool { return !to.Before(s.from) && !from.After(s.to) }

// event is that a service became something.
type event struct {
	at time.Time
	truth
	// strict is that the first answer to a question that was put later must
	// be right: landmarkd has had its time to notice, or must ask the kernel.
	strict bool
}

// oracle knows what the honest programs are at each instant, for it is the one
// that commands them.
type oracle struct {
	mu     sync.Mutex
	events map[string][]event // of each service, in their order; guarded by mu
	late   map[string][]span  // when the service's own loop was late; guarded by mu
	down   []span             // when landmarkd was away, or had only just come; guarded by mu
}

func newOracle() *oracle {
	return &oracle{events: make(map[string][]event), late: make(map[string][]span)}
}

// becomes notes that the service is so from now on.
func (o *oracle) becomes(service string, t truth, strict bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events[service] = append(o.events[service], event{time.Now(), t, strict})
}

// wasLate notes when the service's own loop was late.
func (o *oracle) wasLate(service string, s span) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// The next report brings the end of it, and the watchers hear that later.
	o.late[service] = append(o.late[service], span{s.from, s.to.Add(time.Second)})
}

// away notes when landmarkd was away.
func (o *oracle) away(s span) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = append(o.down, s)
}

// wasDown reports whether landmarkd was away at some instant of the time.
func (o *oracle) wasDown(from, to time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.down {
		if s.overlaps(from, to) {
			return true
		}
	}
	return false
}

// at returns the last event of the service before the question was put. The
// truth is unsure if the service changed while the question was open, or its
// own loop was late.
func (o *oracle) at(service string, put, answered time.Time) event {
	o.mu.Lock()
	defer o.mu.Unlock()
	var last event
	for _, e := range o.events[service] {
		if e.at.After(put) {
			if !e.at.After(answered) {
				return event{at: e.at}
			}
			break
		}
		last = e
	}
	for _, s := range o.late[service] {
		if last.truth == healthy && s.overlaps(put, answered) { // it never excuses SERVING
			return event{at: last.at}
		}
	}
	return last
}
