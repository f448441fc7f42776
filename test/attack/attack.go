package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// attack is one attempt to have landmarkd answer wrongly, or not at all.
type attack struct {
	name string
	what string // is done
	who  string // could do it
	// measured attacks must not keep honest checkers waiting: the others stop
	// or restart landmarkd themselves, or do nothing that costs it time.
	measured bool
	restarts bool // landmarkd
	onlyLong bool // is not in the short form: it takes too long
	play     func(s *scene)
}

// attacks are all of them.
func attacks() []attack {
	return slices.Concat(logAttacks(), restartAttacks(), processAttacks(), agentAttacks(), grpcAttacks(), networkAttacks(), mutationAttacks())
}

// outcome is how an attack ended.
type outcome int

const (
	held outcome = iota
	inconclusive
	broke
)

func (o outcome) String() string { return [...]string{"held", "inconclusive", "BROKE"}[o] }

// result is what one attack came to.
type result struct {
	attack
	account
	outcome
	peak   int // landmarkd's memory, in bytes
	logged int // lines of its log
	users  int // that attacked
	took   time.Duration
	why    []string // it broke or is inconclusive
}

const (
	// logOwn is how many lines landmarkd may log a minute of itself and of honest
	// programs, and logUser how many of each user that attacks.
	logOwn  = 300
	logUser = 1000
)

// tries is how often an attack is played in which answers are late, before that
// is taken for landmarkd's fault.
const tries = 3

// playAttack plays one attack. Where answers were late it is played again, for
// the machine may have been busy: only if they are late each time, and not in a
// scene without an attack just before and after, it is the attack that does it.
func playAttack(a attack, programs string, long bool) (r result) {
	quiet := func() float64 {
		return play(attack{name: "control", play: func(s *scene) { s.usual(); s.last(0, 3*time.Second) }}, programs, long).late()
	}
	noise := 0.0
	for range tries {
		var before float64
		if long && a.measured {
			before = quiet()
		}
		r = play(a, programs, long)
		if r.judge(); r.outcome != held || !long || !a.measured || r.late() <= slowAllowed {
			return r
		}
		noise = max(noise, before, quiet())
	}
	if noise > slowAllowed {
		r.outcome = inconclusive
		r.why = append(r.why, fmt.Sprintf("%.2f %% of the answers were late, and %.2f %% without an attack", 100*r.late(), 100*noise))
		return r
	}
	r.outcome = broke
	r.why = append(r.why, fmt.Sprintf("%.2f %% of the answers were late or withheld", 100*r.late()))
	return r
}

// play plays the attack and returns what was seen.
func play(a attack, programs string, long bool) (r result) {
	r.attack = a
	begun := time.Now()
	s, err := newScene(programs, long)
	if err != nil {
		r.why = append(r.why, err.Error())
		return r
	}
	done := make(chan struct{})
	go func() {
		defer close(done) // also at fail, which ends the goroutine
		a.play(s)
	}()
	<-done
	r.account = s.oracle.judge(s.end())
	r.why = append(r.why, s.broke...)
	if s.skipped != "" {
		r.outcome, r.why = inconclusive, []string{s.skipped}
	}
	r.users = len(s.users)
	if s.sidecar != nil {
		r.peak, r.logged = s.sidecar.peak, s.sidecar.logged
	}
	r.took = time.Since(begun)
	return r
}

// judge holds the result to the bounds, but for how long answers took.
func (r *result) judge() {
	if r.outcome == inconclusive {
		return
	}
	if r.wrongIn+r.wrongOut > 0 {
		r.why = append(r.why, r.first)
	}
	if r.peak > memoryBound {
		r.why = append(r.why, fmt.Sprintf("landmarkd held %d MB", r.peak>>20))
	}
	if most := (logOwn + logUser*r.users) * (1 + int(r.took.Minutes())); r.logged > most {
		r.why = append(r.why, fmt.Sprintf("landmarkd logged %d lines", r.logged))
	}
	if len(r.why) > 0 {
		r.outcome = broke
	}
}

// skip ends the attack: this machine cannot play it.
func (s *scene) skip(why string) {
	s.skipped = why
	runtime.Goexit()
}

// row is the result as a line of a Markdown table.
func (r result) row() string {
	cells := []string{r.name, r.who, r.worst.Round(time.Millisecond).String(), fmt.Sprintf("%d of %d", r.withheld, r.answers),
		fmt.Sprintf("%d in, %d out", r.wrongIn, r.wrongOut), fmt.Sprintf("%d MB", r.peak>>20), r.outcome.String()}
	return "| " + strings.Join(cells, " | ") + " |"
}

// header begins the table.
const header = "| attack | who can | worst answer | withheld | false verdicts | peak memory | |\n|---|---|---|---|---|---|---|"
