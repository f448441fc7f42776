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
	begun    time.Time
	answered time.Time
	answer   answer
	why      string // in the checker's words
}

// answer is how a checker understands an answer.
type answer int

const (
	none       answer = iota // no answer, or an error
	serving                  // the service gets requests
	notServing               // the service gets none
)

const (
	// fastAnswer is the time within which an honest checker must get its answer.
	fastAnswer = 50 * time.Millisecond
	// slowAllowed is the fraction of answers that may take longer.
	slowAllowed = 0.001
	// watchSilence is the time after which landmark-watch reports silence, plus a
	// margin.
	watchSilence = 2500 * time.Millisecond
)

// summary counts the answers to the honest checkers during one attack.
type summary struct {
	answers         int           // to requests while landmarkd was there
	missing         int           // of them, those that did not come
	slow            int           // of them, those later than fastAnswer
	worst           time.Duration // the longest time of them
	falseServing    int           // SERVING for an unhealthy service
	falseNotServing int           // NOT_SERVING or unknown for a healthy one
	first           string        // the first false verdict, as text
}

// evaluate compares the samples with the real states. After a change a checker may
// get the old answer for changeTimeout, unless the change is strict. Once it got the
// new one, the old one is wrong.
func (o *oracle) evaluate(samples []sample) (a summary) {
	slices.SortStableFunc(samples, func(x, y sample) int { return x.answered.Compare(y.answered) })
	seen := make(map[checker]time.Time) // the last event that the checker has detected
	for _, s := range samples {
		down := o.wasDown(s.begun, s.answered)
		if sendsRequests(s.by) && !down {
			a.count(s)
		}
		e := o.at(s.service, s.begun, s.answered)
		if e.state == unknownState || s.answer == none {
			continue
		}
		who := checker{s.by, s.service}
		if right := (s.answer == serving) == (e.state == healthy); right {
			seen[who] = e.at
			continue
		}
		detected := seen[who].Equal(e.at) || (e.strict && sendsRequests(s.by))
		if !detected && s.begun.Sub(e.at) < changeTimeout {
			continue
		}
		if s.by == trackFile && e.state == healthy && o.wasDown(s.begun.Add(-watchSilence), s.answered) {
			continue // it is rightly out after an outage, and soon in again
		}
		if holdsSession(s.by) && e.state == healthy && o.wasLate(s.service, s.begun.Add(-changeTimeout), s.answered) {
			continue // it was rightly down, and soon comes up again
		}
		if e.state == healthy {
			a.falseNotServing++
		} else {
			a.falseServing++
		}
		if a.first == "" {
			a.first = fmt.Sprintf("%s: %s for %s, %v after that changed", s.by, s.why, s.service, s.begun.Sub(e.at).Round(time.Millisecond))
		}
	}
	return a
}

// count counts the answer and how long it took.
func (a *summary) count(s sample) {
	a.answers++
	took := s.answered.Sub(s.begun)
	a.worst = max(a.worst, took)
	if s.answer == none {
		a.missing++
	} else if took > fastAnswer {
		a.slow++
	}
}

// lateShare returns the fraction of answers that were slow or missing.
func (a summary) lateShare() float64 {
	if a.answers == 0 {
		return 0
	}
	return float64(a.slow+a.missing) / float64(a.answers)
}
