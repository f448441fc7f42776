package replay

import (
	"cmp"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// Span is a time in which the readiness of a service did not change.
type Span struct {
	Status   judge.Status
	Cause    judge.Cause
	From, To time.Time // of the day
	run      int
	from, to judge.Instant
}

// Outcome is what one policy said of a service.
type Outcome struct {
	Spans []Span
	// Takeouts is how often the service was taken out: not by an order, and not because
	// its programs said that they stop.
	Takeouts int
	// Out is how long it was not serving because of a failure, and OutHealthy how much of
	// that time it was healthy again and only not for long enough.
	Out, OutHealthy time.Duration
	// HangServed is how long it was served while a program hung.
	HangServed time.Duration

	open bool // the last span goes on
	base time.Time
}

// set says what holds from the instant on.
func (o *Outcome) set(r *run, at judge.Instant, s state) {
	if o.open {
		last := &o.Spans[len(o.Spans)-1]
		if last.run == r.number && last.Status == s.status && last.Cause == s.cause {
			return
		}
		o.end(r.number, at)
	}
	o.base, o.open = r.base, true
	o.Spans = append(o.Spans, Span{Status: s.status, Cause: s.cause, From: r.timeOf(at), To: r.timeOf(at), run: r.number, from: at, to: at})
}

// end ends the last span, if it goes on. Nothing is known afterwards.
func (o *Outcome) end(run int, at judge.Instant) {
	if !o.open {
		return
	}
	o.open = false
	last := &o.Spans[len(o.Spans)-1]
	if last.run != run {
		return
	}
	if last.to = max(at, last.from); last.to == last.from {
		o.Spans = o.Spans[:len(o.Spans)-1]
		return
	}
	last.To = o.base.Add(time.Duration(last.to))
}

// stretch is a time of a run.
type stretch struct {
	run      int
	from, to judge.Instant
}

// overlap returns for how long two stretches overlap.
func (a stretch) overlap(b stretch) time.Duration {
	if a.run != b.run {
		return 0
	}
	return max(0, min(a.to, b.to).Sub(max(a.from, b.from)))
}

// union returns the stretches in order, with those that overlap as one.
func union(all []stretch) (merged []stretch) {
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.from, b.from)) })
	for _, s := range all {
		if n := len(merged); n > 0 && merged[n-1].run == s.run && s.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// takeouts returns when the service was taken out, until it was SERVING again or nothing is
// known.
func (o *Outcome) takeouts() (all []stretch) {
	var before *Span
	out := false
	for i := range o.Spans {
		s := &o.Spans[i]
		follows := before != nil && before.run == s.run && before.to == s.from
		switch {
		case s.Status == judge.Serving:
			out = false
		case follows && out:
			all[len(all)-1].to = s.to
		case follows && before.Status == judge.Serving && s.Cause != judge.Draining && s.Cause != judge.Stopped:
			all, out = append(all, stretch{s.run, s.from, s.to}), true
		default:
			out = false
		}
		before = s
	}
	return all
}

// failed reports whether the service was not serving because of a failure.
func (s *Span) failed() bool {
	switch s.Cause {
	case judge.Stalled, judge.Failed, judge.Stale, judge.Lost, judge.Recovering:
		return s.Status != judge.Serving
	default:
		return false
	}
}

// measure calculates the numbers. hangs are when a program hung; none overlaps another.
func (o *Outcome) measure(hangs []stretch) {
	o.Takeouts = len(o.takeouts())
	i := 0
	for _, s := range o.Spans {
		if s.failed() {
			o.Out += s.to.Sub(s.from)
		}
		if s.Cause == judge.Recovering {
			o.OutHealthy += s.to.Sub(s.from)
		}
		if s.Status != judge.Serving {
			continue
		}
		for i < len(hangs) && (hangs[i].run < s.run || hangs[i].run == s.run && hangs[i].to <= s.from) {
			i++
		}
		for _, h := range hangs[i:] {
			if h.run > s.run || h.run == s.run && h.from >= s.to {
				break
			}
			o.HangServed += h.overlap(stretch{s.run, s.from, s.to})
		}
	}
}
