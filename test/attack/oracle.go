package main

import (
	"slices"
	"sync"
	"time"
)

// state is the real state of an honest service.
type state int

const (
	unknownState state = iota // it is changing, or the machine was too slow
	healthy                   // SERVING is the right answer
	unhealthy                 // SERVING is a wrong answer
)

// span is a time with a beginning and an end.
type span struct{ from, to time.Time }

func (s span) overlaps(from, to time.Time) bool { return !to.Before(s.from) && !from.After(s.to) }

// event is a change of the state of a service.
type event struct {
	at time.Time
	state
	// strict means that every check that begins later must get the right answer.
	// landmarkd has had the time to detect the change, or must query the kernel.
	strict bool
}

// oracle knows the state of the honest programs at each instant, because the attack
// controls them.
type oracle struct {
	mu     sync.Mutex
	events map[string][]event // of each service, in their order; guarded by mu
	late   map[string][]span  // when the service's own loop was late; guarded by mu
	down   []span             // when landmarkd was away, or had only just come; guarded by mu
}

func newOracle() *oracle {
	return &oracle{events: make(map[string][]event), late: make(map[string][]span)}
}

// set records the state of the service from now on.
func (o *oracle) set(service string, t state, strict bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events[service] = append(o.events[service], event{time.Now(), t, strict})
}

// recordLate records a time in which the service's own loop was late.
func (o *oracle) recordLate(service string, s span) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// Checkers get the end of it after the next report.
	o.late[service] = append(o.late[service], span{s.from, s.to.Add(time.Second)})
}

// recordOutage records a time in which landmarkd was away.
func (o *oracle) recordOutage(s span) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = append(o.down, s)
}

// wasDown reports whether landmarkd was away between from and to.
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

// wasLate reports whether the service's own loop was late between from and to.
func (o *oracle) wasLate(service string, from, to time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.late[service], func(s span) bool { return s.overlaps(from, to) })
}

// at returns the last event of the service before a check began. The state is
// unknown if the service changed during the check, or its own loop was late.
func (o *oracle) at(service string, begun, answered time.Time) event {
	o.mu.Lock()
	defer o.mu.Unlock()
	var last event
	for _, e := range o.events[service] {
		if e.at.After(begun) {
			if !e.at.After(answered) {
				return event{at: e.at}
			}
			break
		}
		last = e
	}
	for _, s := range o.late[service] {
		if last.state == healthy && s.overlaps(begun, answered) { // a late loop never excuses SERVING
			return event{at: last.at}
		}
	}
	return last
}
