package judge

import (
	"time"

	"pgregory.net/rapid"
)

// beat is what most spans are multiples of, so that what happens and limits
// often meet to the very nanosecond.
const beat = 250 * time.Millisecond

func drawSpan(t *rapid.T, label string) time.Duration {
	return beat * time.Duration(rapid.IntRange(0, 10).Draw(t, label))
}

// drawAmong draws one of few.
func drawAmong[T any](t *rapid.T, label string, few ...T) T {
	return rapid.SampledFrom(few).Draw(t, label)
}

func drawPolicy(t *rapid.T) Policy {
	return Policy{
		StaleAfter:   drawAmong(t, "stale_after", time.Hour, 1500*time.Millisecond, 2*beat),
		ForgetAfter:  drawAmong(t, "forget_after", time.Hour, time.Second),
		Quorum:       drawAmong(t, "instances", All, Any, Quorum{AtLeast: 2}, Quorum{AtLeast: 3}, NoneNeeded),
		FallAfter:    drawAmong(t, "fall_after", 0, 2*beat, 2*time.Second, 1),
		RecoverAfter: drawAmong(t, "recover_after", 0, beat, 1500*time.Millisecond, 1),
		SlowStart:    drawAmong(t, "slow_start", 0, 50*time.Millisecond, 2*time.Second, 15*time.Second),
	}
}

func drawLandmarks(t *rapid.T, now Instant) []Landmark {
	names := []string{"main", "feed", "disk"}
	landmarks := make([]Landmark, drawAmong(t, "landmarks", 1, 2, 3, 0))
	for i := range landmarks {
		l := &landmarks[i]
		l.Declared = drawDeclared(t, names[i])
		l.At = now.Add(-drawSpan(t, "made"))
		drawFact(t, l, now)
	}
	return landmarks
}

// drawHost draws what is looked at on the host, mostly nothing, some of it not
// read yet.
func drawHost(t *rapid.T, now Instant) Host {
	h := Host{ReadAt: now}
	names := []string{"main", "port"} // the first is also a program's
	for i := range drawAmong(t, "host's landmarks", 0, 1, 2) {
		d := &Declared{
			Name:   names[i],
			Kind:   drawAmong(t, "host's kind", KindCondition, KindDeadline),
			Impact: drawAmong(t, "host's impact", ImpactCritical, ImpactReadiness, ImpactDegrading, ImpactInformational),
		}
		if d.Kind == KindDeadline {
			d.Within = drawAmong(t, "host's within", time.Second, 3*beat, 1)
		}
		h.Landmarks = append(h.Landmarks, Landmark{Declared: d})
	}
	if drawAmong(t, "host read", true, true, false) {
		h.draw(t, now)
	}
	return h
}

// draw draws what is read.
func (h *Host) draw(t *rapid.T, now Instant) {
	h.ReadAt = now
	for i := range h.Landmarks {
		l := &h.Landmarks[i]
		l.goWell(now)
		l.Unreadable, l.Reason = false, drawAmong(t, "host's reason", "", "a word")
		switch drawAmong(t, "seen", "well", "well", "bad", "blind") {
		case "bad":
			l.Met, l.Open = false, true
			l.At = now.Add(-drawAmong(t, "waits for", 0, l.Within, l.Within+1, beat))
		case "blind":
			l.Unreadable = true
		}
	}
}

func drawDeclared(t *rapid.T, name string) *Declared {
	d := &Declared{
		Name:        name,
		Kind:        Kind(rapid.IntRange(1, 5).Draw(t, "kind")),
		Impact:      drawAmong(t, "impact", ImpactCritical, ImpactReadiness, ImpactDegrading, ImpactCritical, ImpactInformational),
		StartWithin: drawAmong(t, "start_within", 0, 0, 1, time.Second, time.Hour),
	}
	switch d.Kind {
	case KindLevel:
		d.Limits = drawAmong(t, "limits", Limits{10, 20, false}, Limits{20, 10, false}, Limits{10, 10, true}, Limits{10, 10, false})
	case KindCondition:
		d.TTL = drawAmong(t, "ttl", 0, time.Second, time.Hour)
	default:
		d.Within = drawAmong(t, "within", time.Second, 3*beat, 5*time.Second, time.Hour, 1)
	}
	return d
}

// drawFact draws what is reported of a landmark: nothing new, that all is well,
// or anything.
func drawFact(t *rapid.T, l *Landmark, now Instant) {
	switch drawAmong(t, "fact", "well", "the same", "anything", "well") {
	case "well":
		l.goWell(now)
	case "anything":
		if !l.Reached && rapid.Bool().Draw(t, "unreached") {
			return
		}
		l.goWell(now)
		l.At = now.Add(-drawAmong(t, "age", 0, l.Within, l.Within+1, l.TTL, l.TTL+1, beat, 8*beat))
		switch l.Kind {
		case KindDeadline, KindLoop:
			l.Open = rapid.Bool().Draw(t, "open")
			l.Lag = drawAmong(t, "lag", 0, l.Within/2, l.Within/2+1, l.Within-l.Within/4, l.Within, 2*l.Within)
		case KindLevel:
			l.Value = drawAmong[float64](t, "value", 5, 10, 11, 15, 19.9, 20, 21)
		case KindCondition:
			l.Met = rapid.Bool().Draw(t, "met")
		}
	}
}

// goWell makes of the landmark one that was just reached and has nothing
// against it.
func (l *Landmark) goWell(now Instant) {
	l.Count++
	l.Reached, l.At, l.Open, l.Lag, l.Met = true, now, false, 0, true
	l.Value = 2*l.Limits.DegradeAt - l.Limits.FailAt
	if l.Limits.DegradeAt == l.Limits.FailAt {
		l.Value = l.Limits.FailAt - 1
		if l.Limits.Below {
			l.Value = l.Limits.FailAt + 1
		}
	}
}
