package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// attack is one attempt to make landmarkd answer wrongly, or not at all.
type attack struct {
	name string
	what string // what it does
	who  string // who could do it
	// measured attacks must not delay answers to honest checkers. The others
	// stop or restart landmarkd, or cost it no time.
	measured bool
	onlyLong bool // takes too long for the short form
	play     func(s *scene)
}

// attacks returns all attacks.
func attacks() []attack {
	return slices.Concat(logAttacks(), restartAttacks(), processAttacks(), agentAttacks(), journalAttacks(), notifyAttacks(), grpcAttacks(), httpAttacks(), networkAttacks(), bfdAttacks(), mutationAttacks())
}

// outcome is how an attack ended.
type outcome int

const (
	held outcome = iota
	inconclusive
	broke
)

func (o outcome) String() string { return [...]string{"held", "inconclusive", "BROKE"}[o] }

// result is the result of one attack.
type result struct {
	attack
	summary
	outcome
	peak   int // landmarkd's most memory, in bytes
	logged int // lines of landmarkd's log
	starts int // of landmarkd
	users  int // number of attacking users
	took   time.Duration
	notes  []string // what was measured
	why    []string // why it broke or is inconclusive
}

const (
	// logOwn is how many lines landmarkd may log for itself and for honest programs, at
	// each start and each minute, and logUser how many for each user that attacks: 1000
	// about sessions, and 1000 about verdicts.
	logOwn  = 300
	logUser = 2000
)

// attempts is how often an attack is run if answers are late.
const attempts = 3

// playAttack runs one attack. If answers are late it runs the attack again,
// because the machine may have been busy. Late answers are due to the attack only
// if they come each time, and not in a scene without an attack before and after it.
func playAttack(a attack, programs string, long bool) (r result) {
	quiet := func() float64 {
		return play(attack{name: "control", play: func(s *scene) { s.startPair(); s.runFor(0, 3*time.Second) }}, programs, long).lateShare()
	}
	noise := 0.0
	for range attempts {
		var before float64
		if long && a.measured {
			before = quiet()
		}
		r = play(a, programs, long)
		if r.checkBounds(); r.outcome != held || !long || !a.measured || r.lateShare() <= slowAllowed {
			return r
		}
		noise = max(noise, before, quiet())
	}
	if noise > slowAllowed {
		r.outcome = inconclusive
		r.why = append(r.why, fmt.Sprintf("%.2f %% of the answers were late, and %.2f %% without an attack", 100*r.lateShare(), 100*noise))
		return r
	}
	r.outcome = broke
	r.why = append(r.why, fmt.Sprintf("%.2f %% of the answers were late or withheld", 100*r.lateShare()))
	return r
}

// play runs the attack once.
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
		defer close(done) // also after fail, which ends the goroutine
		a.play(s)
	}()
	<-done
	r.summary = s.oracle.evaluate(s.end())
	r.why = append(r.why, s.broke...)
	if s.skipped != "" {
		r.outcome, r.why = inconclusive, []string{s.skipped}
	}
	r.users, r.notes = len(s.users), s.notes
	if s.sidecar != nil {
		r.peak, r.logged, r.starts = s.sidecar.peak, s.sidecar.logged, s.sidecar.starts
	}
	r.took = time.Since(begun)
	return r
}

// checkBounds checks all bounds except the time of the answers.
func (r *result) checkBounds() {
	if r.outcome == inconclusive {
		return
	}
	if r.falseServing+r.falseNotServing > 0 {
		r.why = append(r.why, r.first)
	}
	if r.peak > memoryBound {
		r.why = append(r.why, fmt.Sprintf("landmarkd used %d MB, want at most %d", r.peak>>20, memoryBound>>20))
	}
	if most := (logOwn + logUser*r.users) * (r.starts + int(r.took.Minutes())); r.logged > most {
		r.why = append(r.why, fmt.Sprintf("landmarkd logged %d lines, want at most %d", r.logged, most))
	}
	if len(r.why) > 0 {
		r.outcome = broke
	}
}

// skip ends the attack, because this machine cannot run it.
func (s *scene) skip(why string) {
	s.skipped = why
	runtime.Goexit()
}

// row returns the result as a line of a Markdown table.
func (r result) row() string {
	cells := []string{r.name, r.who, r.worst.Round(time.Millisecond).String(), fmt.Sprintf("%d of %d", r.missing, r.answers),
		fmt.Sprintf("%d in, %d out", r.falseServing, r.falseNotServing), fmt.Sprintf("%d MB", r.peak>>20), r.outcome.String()}
	return "| " + strings.Join(cells, " | ") + " |"
}

// header is the head of the table.
const header = "| attack | who can | worst answer | withheld | false verdicts | peak memory | |\n|---|---|---|---|---|---|---|"
