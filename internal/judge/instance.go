package judge

import (
	"math"
	"time"
)

// Presence is whether a process still reports.
type Presence uint8

// The presences.
const (
	Connected   Presence = iota
	Vacant               // its connection ended with no goodbye, and nobody took its place
	SaidGoodbye          // it left of its own will, the last of its service
	Awaited              // it was there before the sidecar restarted, and may still come back
)

// Instance is one process of a service and what it last reported. It is
// immutable.
type Instance struct {
	Name       string
	Presence   Presence
	Since      Instant // since when Presence holds
	ReportedAt Instant // when its last report was made
	// Started latches once every landmark that bears on readiness was
	// reached.
	Started bool
	// Draining is a process that wants no new work: it does not count while
	// others are left that do.
	Draining bool
	// Newcomer is a process that joined beside others and has not started
	// yet: it does not count for as long as it is starting.
	Newcomer bool
	// Seq numbers the places that were added beside others, with no vacancy
	// to fill, in the order of adding. It is 0 for a place that fills one.
	Seq uint64
	// ReliefSeq is the Seq of the first process that joined while this one was
	// failing. It is 0 if none did, or if this one was healthy since.
	ReliefSeq uint64
	Landmarks []Landmark
}

// HasStarted reports whether every landmark that bears on readiness was
// reached at least once, and there is one.
func (in *Instance) HasStarted() bool {
	bearing := false
	for i := range in.Landmarks {
		l := &in.Landmarks[i]
		if !l.bears(Readiness) {
			continue
		}
		bearing = true
		if l.awaited() {
			return false
		}
	}
	return bearing
}

// CanPoll reports whether the process counts and has main loops that the
// get-state command can be put to, all of which bear on the aspect: the
// command goes to them all, and is answered once they all have.
func (in *Instance) CanPoll(a Aspect) bool {
	if in.Presence != Connected || in.Newcomer {
		return false
	}
	can := false
	for i := range in.Landmarks {
		l := &in.Landmarks[i]
		if !l.canBeAsked() {
			continue
		}
		if !l.bears(a) || !l.Reached {
			return false
		}
		can = true
	}
	return can
}

// LoopWithin returns the smallest Within of the process's loops that can be
// asked, the longest duration there is if it has none.
func (in *Instance) LoopWithin() time.Duration {
	within := time.Duration(math.MaxInt64)
	for i := range in.Landmarks {
		if l := &in.Landmarks[i]; l.canBeAsked() {
			within = min(within, l.Within)
		}
	}
	return within
}

// FactsAt is the instant that the instance's facts about the aspect are of:
// that of the oldest answer of the loops that bear on it, or of its last report
// where there is no such loop, which could be asked for anything newer.
func (in *Instance) FactsAt(a Aspect) Instant {
	at := in.ReportedAt
	for i := range in.Landmarks {
		if l := &in.Landmarks[i]; l.Kind == KindLoop && l.bears(a) && l.At < at {
			at = l.At
		}
	}
	return at
}

// finding is the judgement of one instance for one aspect.
type finding struct {
	cause    Cause
	landmark *Landmark // the one that gave the cause, nil if none did
	share    float64   // of its full capacity that the process can use, 0 to 1; 0 where there is a cause
	next     Instant   // when time alone changes it
}

// waits reports whether a newcomer of this finding does not count yet: it is
// starting, or left before it had started.
func (f finding) waits() bool {
	return f.cause == Starting || f.cause == Draining || f.cause == Lost || f.cause == Unreported
}

// judge finds the instance's cause for the aspect at now, by the order of
// precedence.
func (in *Instance) judge(p Policy, a Aspect, now Instant) finding {
	switch in.Presence {
	case SaidGoodbye:
		return finding{cause: Stopped, next: Never}
	case Vacant:
		return finding{cause: Lost, next: Never}
	case Awaited:
		return finding{cause: Unreported, next: Never}
	}
	if a == Startup {
		return in.judgeStartup()
	}
	silent := in.ReportedAt.Add(p.StaleAfter) + 1
	if now >= silent {
		return finding{cause: Stale, next: Never}
	}
	f := in.judgeLandmarks(a, now)
	f.next = min(f.next, silent)
	if a == Readiness && in.Draining && Draining.before(f.cause) {
		f.cause, f.landmark = Draining, nil
	}
	if f.cause != None {
		f.share = 0
	}
	return f
}

// judgeStartup answers whether the process has started: once it has, it
// stays so for as long as it is there.
func (in *Instance) judgeStartup() finding {
	if in.Started {
		return finding{cause: None, share: 1, next: Never}
	}
	return finding{cause: Starting, landmark: in.firstAwaited(), next: Never}
}

// judgeLandmarks finds the cause that the landmarks give, and how much of its
// capacity they leave to the process: as much as the worst of them does.
func (in *Instance) judgeLandmarks(a Aspect, now Instant) finding {
	f := finding{cause: None, share: 1, next: Never}
	bearing := false
	for i := range in.Landmarks {
		l := &in.Landmarks[i]
		r := l.read(now)
		f.next = min(f.next, r.next)
		if l.Impact != ImpactInformational {
			f.share = min(f.share, r.share)
		}
		if l.bears(a) {
			bearing = true
			f.consider(l.cause(r.state, a), l)
		}
	}
	if !bearing && a == Readiness {
		// Nothing of the program's own vouches for it (yet).
		f.cause = Starting
	}
	return f
}

// consider takes the landmark's cause if it goes before the one found so far;
// of two failing alike, the one out of touch for longer is named.
func (f *finding) consider(c Cause, l *Landmark) {
	if c.before(f.cause) || c != None && c == f.cause && l.At < f.landmark.At {
		f.cause, f.landmark = c, l
	}
}

// firstAwaited returns the first landmark that start-up still waits for,
// nil if no landmark bears on readiness at all.
func (in *Instance) firstAwaited() *Landmark {
	for i := range in.Landmarks {
		if l := &in.Landmarks[i]; l.bears(Readiness) && l.awaited() {
			return l
		}
	}
	return nil
}

// State returns the state of the instance's landmark l at now. Nothing vouches
// for the landmarks of a process that is gone or silent: they fail.
func (in *Instance) State(p Policy, l *Landmark, now Instant) State {
	if in.Presence != Connected || now.Sub(in.ReportedAt) > p.StaleAfter {
		return Failing
	}
	state, _ := l.State(now)
	return state
}

// forgotten reports whether the vacancy has been left for so long that its
// process is no longer expected.
func (in *Instance) forgotten(p Policy, now Instant) bool {
	return in.Presence == Vacant && now >= in.forgottenAt(p.ForgetAfter)
}

func (in *Instance) forgottenAt(after time.Duration) Instant { return in.Since.Add(after) + 1 }
