package agent

import (
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

// A pull follows the sidecar's questions on one stream, the GetStates, until
// every Loop that bears on readiness has answered a get-state command since the
// question came.
//
// A command that was open already when the question came is as good as a new
// one, for its answer comes after the question. Loops answer at different times
// while questions go on coming, so each Loop's latest answered question is kept
// apart: however fast the questions come, some are found answered.
type pull struct {
	latest uint64 // the number of the newest question, 0 = none
	told   uint64 // the highest number that was reported as answered
	loops  []loopPull
}

// A loopPull is what one Loop has answered.
type loopPull struct {
	index    int    // among the reporter's tracks
	answers  uint64 // the Loop's count when it was last asked
	asked    uint64 // the newest question that its next answer answers
	answered uint64 // the newest question that it has answered
}

// extend takes in the tracks from index first on. To a Loop that was not there
// when the open questions came they are put now.
func (p *pull) extend(tracks []track, first int, now time.Time) {
	for i := first; i < len(tracks); i++ {
		if !tracks[i].takesCommands() || tracks[i].Impact > landmark.Readiness {
			continue // what does not bear on readiness is nothing to wait for
		}
		p.loops = append(p.loops, loopPull{index: i, answered: p.told})
		if p.latest > p.told {
			p.loops[len(p.loops)-1].ask(p.latest, tracks, now)
		}
	}
}

// ask puts a question to every Loop. It supersedes the ones before it.
func (p *pull) ask(number uint64, tracks []track, now time.Time) {
	if number <= p.latest {
		return // the sidecar counts upwards
	}
	p.latest = number
	for i := range p.loops {
		p.loops[i].ask(number, tracks, now)
	}
}

func (l *loopPull) ask(number uint64, tracks []track, now time.Time) {
	answers, _ := tracks[l.index].PutCommand(now)
	l.settle(answers)
	l.answers, l.asked = answers, number
}

// settle notes how many commands the Loop has answered by now.
func (l *loopPull) settle(answers uint64) {
	if answers > l.answers {
		l.answered = max(l.answered, l.asked)
	}
}

// settle takes the Loops' answers from the tracks' readings.
func (p *pull) settle(tracks []track) {
	for i := range p.loops {
		p.loops[i].settle(tracks[p.loops[i].index].reading.Count)
	}
}

// answered returns the number of the newest question that every Loop has
// answered. Where there is no Loop there is nothing to wait for.
func (p *pull) answered() uint64 {
	answered := p.latest
	for _, l := range p.loops {
		answered = min(answered, l.answered)
	}
	return answered
}

// pending reports whether a question awaits an answer or its report.
func (p *pull) pending() bool { return p.latest > p.told }
