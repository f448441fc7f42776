package main

import (
	"fmt"
	"slices"
	"time"
)

// sample is one answer to one honest checker.
type sample struct {
	by       string // the checker
	service  string
	put      time.Time
	answered time.Time
	answer   answer
	why      string // in the checker's words
}

// answer is what a checker takes an answer for.
type answer int

const (
	none       answer = iota // none came, or the server would not say
	serving                  // send it work
	notServing               // do not
)

const (
	// swift is the time in which an honest checker is answered.
	swift = 50 * time.Millisecond
	// slowAllowed is the share of answers that may take longer.
	slowAllowed = 0.001
	// watchSilence is after how long landmark-watch takes silence for out, and
	// a margin.
	watchSilence = 2500 * time.Millisecond
)

// account is what became of the honest checkers in one attack.
type account struct {
	answers  int           // to those that ask, while landmarkd was there
	withheld int           // of them, that did not come
	slow     int           // of them, later than swift
	worst    time.Duration // of them
	wrongIn  int           // SERVING for what was not
	wrongOut int           // NOT_SERVING or unknown for what was healthy
	first    string        // the first false verdict, for people
}

// judge holds the samples to the truth. After a change a checker has patience
// to come to the truth, unless the change was strict; once it has, nothing else
// may come.
func (o *oracle) judge(samples []sample) (a account) {
	slices.SortStableFunc(samples, func(x, y sample) int { return x.answered.Compare(y.answered) })
	settled := make(map[checker]time.Time) // the event that the checker has come to know
	for _, s := range samples {
		down := o.wasDown(s.put, s.answered)
		if asks(s.by) && !down {
			a.count(s)
		}
		e := o.at(s.service, s.put, s.answered)
		if e.truth == unsure || s.answer == none {
			continue
		}
		who := checker{s.by, s.service}
		if right := (s.answer == serving) == (e.truth == healthy); right {
			settled[who] = e.at
			continue
		}
		knows := settled[who].Equal(e.at) || (e.strict && asks(s.by))
		if !knows && s.put.Sub(e.at) < settling {
			continue
		}
		if s.by == trackFile && e.truth == healthy && o.wasDown(s.put.Add(-watchSilence), s.answered) {
			continue // it was out by right, and is back a moment later
		}
		if e.truth == healthy {
			a.wrongOut++
		} else {
			a.wrongIn++
		}
		if a.first == "" {
			a.first = fmt.Sprintf("%s: %s for %s, %v after that changed", s.by, s.why, s.service, s.put.Sub(e.at).Round(time.Millisecond))
		}
	}
	return a
}

// count notes how long a checker waited.
func (a *account) count(s sample) {
	a.answers++
	took := s.answered.Sub(s.put)
	a.worst = max(a.worst, took)
	if s.answer == none {
		a.withheld++
	} else if took > swift {
		a.slow++
	}
}

// late is the share of questions that were not answered swiftly.
func (a account) late() float64 {
	if a.answers == 0 {
		return 0
	}
	return float64(a.slow+a.withheld) / float64(a.answers)
}
