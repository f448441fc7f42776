package judge

import (
	"time"

	"pgregory.net/rapid"
)

// beat divides most of the durations, so that events and limits often fall on the
// same nanosecond.
const beat = 250 * time.Millisecond

func drawDuration(t *rapid.T, label string) time.Duration {
	return beat * time.Duration(rapid.IntRange(0, 10).Draw(t, label))
}

// drawOneOf draws one of the given values.
func drawOneOf[T any](t *rapid.T, label string, few ...T) T {
	return rapid.SampledFrom(few).Draw(t, label)
}

func drawPolicy(t *rapid.T) Policy {
	return Policy{
		StaleAfter:   drawOneOf(t, "stale_after", time.Hour, 1500*time.Millisecond, 2*beat),
		ForgetAfter:  drawOneOf(t, "forget_after", time.Hour, time.Second),
		Quorum:       drawOneOf(t, "instances", All, Any, Quorum{AtLeast: 2}, Quorum{AtLeast: 3}, NoneNeeded),
		FallAfter:    drawOneOf(t, "fall_after", 0, 2*beat, 2*time.Second, 1),
		RecoverAfter: drawOneOf(t, "recover_after", 0, beat, 1500*time.Millisecond, 1),
		SlowStart:    drawOneOf(t, "slow_start", 0, 50*time.Millisecond, 2*time.Second, 15*time.Second),
	}
}

func drawLandmarks(t *rapid.T, now Instant) []Landmark {
	names := []string{"main", "feed", "disk"}
	landmarks := make([]Landmark, drawOneOf(t, "landmarks", 1, 2, 3, 0))
	for i := range landmarks {
		l := &landmarks[i]
		l.Declared = drawDeclared(t, names[i])
		l.At = now.Add(-drawDuration(t, "made"))
		drawFact(t, l, now)
	}
	return landmarks
}

// drawHost draws the landmarks of the host: mostly none, and some not read yet.
func drawHost(t *rapid.T, now Instant) Host {
	h := Host{ReadAt: now}
	names := []string{"main", "port"} // programs use the first one, too
	for i := range drawOneOf(t, "host's landmarks", 0, 1, 2) {
		d := &Declared{
			Name:   names[i],
			Kind:   drawOneOf(t, "host's kind", KindCondition, KindDeadline),
			Impact: drawOneOf(t, "host's impact", ImpactCritical, ImpactReadiness, ImpactDegrading, ImpactInformational),
		}
		if d.Kind == KindDeadline {
			d.Within = drawOneOf(t, "host's within", time.Second, 3*beat, 1)
		} else {
			d.TTL = drawOneOf(t, "host's ttl", 0, time.Second, 3*beat)
		}
		h.Landmarks = append(h.Landmarks, Landmark{Declared: d})
	}
	if drawOneOf(t, "host read", true, true, false) {
		h.draw(t, now)
	}
	return h
}

// draw draws the results of reading the host.
func (h *Host) draw(t *rapid.T, now Instant) {
	h.ReadAt = now
	for i := range h.Landmarks {
		l := &h.Landmarks[i]
		setHealthy(l, now)
		l.Unreadable, l.Reason = false, drawOneOf(t, "host's reason", "", "a word")
		switch drawOneOf(t, "seen", "healthy", "healthy", "bad", "old", "unreadable") {
		case "bad":
			l.Met, l.Open = false, true
			l.At = now.Add(-drawOneOf(t, "waits for", 0, l.Within, l.Within+1, beat))
		case "old":
			l.At = now.Add(-drawOneOf(t, "checked before", 0, l.TTL, l.TTL+1, beat))
		case "unreadable":
			l.Unreadable = true
		}
	}
}

func drawDeclared(t *rapid.T, name string) *Declared {
	d := &Declared{
		Name:        name,
		Kind:        Kind(rapid.IntRange(1, 5).Draw(t, "kind")),
		Impact:      drawOneOf(t, "impact", ImpactCritical, ImpactReadiness, ImpactDegrading, ImpactCritical, ImpactInformational),
		StartWithin: drawOneOf(t, "start_within", 0, 0, 1, time.Second, time.Hour),
	}
	switch d.Kind {
	case KindLevel:
		d.Limits = drawOneOf(t, "limits", Limits{DegradeAt: 10, FailAt: 20}, Limits{DegradeAt: 20, FailAt: 10}, Limits{DegradeAt: 10, FailAt: 10, Below: true}, Limits{DegradeAt: 10, FailAt: 10})
	case KindCondition:
		d.TTL = drawOneOf(t, "ttl", 0, time.Second, time.Hour)
	default:
		d.Within = drawOneOf(t, "within", time.Second, 3*beat, 5*time.Second, time.Hour, 1)
	}
	return d
}

// drawFact draws a report about a landmark: the same as before, healthy, or any.
func drawFact(t *rapid.T, l *Landmark, now Instant) {
	switch drawOneOf(t, "fact", "healthy", "the same", "anything", "healthy") {
	case "healthy":
		setHealthy(l, now)
	case "anything":
		if !l.Reached && rapid.Bool().Draw(t, "unreached") {
			l.ExtendedTo = drawOneOf(t, "extended", 0, now, now.Add(beat), now.Add(time.Hour))
			return
		}
		setHealthy(l, now)
		l.Triggered = l.Kind == KindAlive && drawOneOf(t, "triggered", false, false, false, true)
		l.At = now.Add(-drawOneOf(t, "age", 0, l.Within, l.Within+1, l.TTL, l.TTL+1, beat, 8*beat))
		switch l.Kind {
		case KindDeadline, KindLoop:
			l.Open = rapid.Bool().Draw(t, "open")
			l.Lag = drawOneOf(t, "lag", 0, l.Within/2, l.Within/2+1, l.Within-l.Within/4, l.Within, 2*l.Within)
		case KindLevel:
			l.Value = drawOneOf[float64](t, "value", 5, 10, 11, 15, 19.9, 20, 21)
		case KindCondition:
			l.Met = rapid.Bool().Draw(t, "met")
		}
	}
}

// setHealthy makes the landmark healthy and reached at now.
func setHealthy(l *Landmark, now Instant) {
	l.Count++
	l.Reached, l.At, l.Open, l.Lag, l.Met, l.Triggered = true, now, false, 0, true, false
	l.Value = 2*l.Limits.DegradeAt - l.Limits.FailAt
	if l.Limits.DegradeAt == l.Limits.FailAt {
		l.Value = l.Limits.FailAt - 1
		if l.Limits.Below {
			l.Value = l.Limits.FailAt + 1
		}
	}
}
