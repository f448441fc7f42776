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

// playAttack plays one attack, and with control another scene of the same
// checkers without any attack.
func playAttack(a attack, programs string, long bool) (r result) {
	r.attack = a
	if long && a.measured {
		quiet := play(attack{name: "control", play: func(s *scene) { s.usual(); s.last(0, 3*time.Second) }}, programs, long)
		if quiet.late() > slowAllowed {
			r = play(a, programs, long)
			r.judge(long, fmt.Sprintf("without an attack %.2f %% of the answers were late", 100*quiet.late()))
			return r
		}
	}
	r = play(a, programs, long)
	r.judge(long, "")
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

// judge holds the result to the bounds. noisy says why times cannot be held.
func (r *result) judge(long bool, noisy string) {
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
	slow := long && r.measured && r.late() > slowAllowed
	switch {
	case len(r.why) > 0:
		r.outcome = broke
	case slow && noisy != "":
		r.outcome, r.why = inconclusive, []string{noisy}
	case slow:
		r.outcome = broke
	}
	if slow && r.outcome == broke {
		r.why = append(r.why, fmt.Sprintf("%.2f %% of the answers were late or withheld", 100*r.late()))
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
