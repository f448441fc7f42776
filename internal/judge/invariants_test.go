package judge

import (
	"slices"

	"pgregory.net/rapid"
)

// invariants checks invariants that hold for every verdict, whatever the facts are.
type invariants struct {
	facts            Service
	everServing      bool    // readiness was serving once
	unhealthySince   Instant // since when readiness fails without damping; 0 if it does not
	hostFailingSince Instant // since when a landmark of the host that affects readiness fails; 0 if none does
	hungSince        Instant // since when a process that does not drain has hung; 0 if none has
}

// check checks the result for the facts at an instant.
func (w *invariants) check(t *rapid.T, p Policy, j Result, now Instant) {
	undamped := p
	undamped.FallAfter, undamped.RecoverAfter, undamped.SlowStart = 0, 0, 0
	facts := w.facts
	facts.History = History{Started: j.History.Started}
	bare := Evaluate(undamped, facts, now)
	failing := 0
	for _, r := range Describe(p, w.facts, now) {
		if r.State == Failing {
			failing++
		}
	}
	for a, v := range j.Verdicts {
		serving := v.Status == Serving
		switch b := bare.Verdicts[a]; {
		case serving == (v.Weight == 0) || v.Weight > 100:
			t.Fatalf("%s is %v with weight %d", Aspect(a), v.Status, v.Weight)
		case serving != (v.Cause == None):
			t.Fatalf("%s is %v with the cause %q", Aspect(a), v.Status, v.Cause)
		case serving != (v.Reason(now) == ""):
			t.Fatalf("%s is %v with the reason %q", Aspect(a), v.Status, v.Reason(now))
		case int(v.Failing) != failing:
			t.Fatalf("%s has %d failing landmarks, Describe returns %d", Aspect(a), v.Failing, failing)
		case Aspect(a) != Readiness && (v.Status != b.Status || v.Cause != b.Cause || v.Weight != b.Weight):
			t.Fatalf("%s is damped: %+v, without damping %+v", Aspect(a), v, b)
		}
	}

	ready, undampedReady := j.Verdicts[Readiness], bare.Verdicts[Readiness]
	w.checkHost(t, p, undampedReady, now)
	trackSince(&w.unhealthySince, undampedReady.Status != Serving, now)
	trackSince(&w.hungSince, slices.ContainsFunc(w.facts.Instances, func(in *Instance) bool {
		return !in.Draining && isHung(in, now)
	}), now)
	if p.Quorum == All && j.Verdicts[Liveness].Status == Serving &&
		slices.ContainsFunc(w.facts.Instances, func(in *Instance) bool { return isHung(in, now) }) {
		t.Fatal("liveness is serving while a process is hung")
	}
	if !w.everServing && undampedReady.Status == Serving && (ready.Status != Serving || ready.Weight != undampedReady.Weight) {
		t.Fatalf("the first serving verdict is %+v, without damping %+v", ready, undampedReady)
	}
	if ready.Status != Serving {
		return
	}
	w.everServing = true
	switch {
	case w.facts.Drained:
		t.Fatal("readiness is serving while an operator drains the service")
	case w.unhealthySince > 0 && now >= w.unhealthySince.Add(p.FallAfter):
		t.Fatalf("readiness is serving, but unhealthy since %d", w.unhealthySince)
	case w.hostFailingSince > 0 && now >= w.hostFailingSince.Add(p.FallAfter):
		t.Fatalf("readiness is serving, but a landmark of the host fails since %d", w.hostFailingSince)
	case w.hungSince > 0 && p.Quorum == All && now >= w.hungSince.Add(p.FallAfter):
		t.Fatalf("readiness is serving, but a process has hung since %d", w.hungSince)
	}
}

// checkHost checks readiness without damping against the host: it is not serving if
// the host is failing. If no process needs to be there and none is, it is serving
// exactly if the host is healthy.
func (w *invariants) checkHost(t *rapid.T, p Policy, undampedReady Verdict, now Instant) {
	reported, failing := false, false
	for _, l := range w.facts.Host.Landmarks {
		if affectsAspect(l, Readiness) {
			reported = reported || l.Reached
			failing = failing || !l.Reached || l.Unreadable || isFailing(l, now)
		}
	}
	silent := len(w.facts.Host.Landmarks) > 0 && now.Sub(w.facts.Host.ReadAt) > p.StaleAfter
	trackSince(&w.hostFailingSince, failing || silent, now)
	serving := undampedReady.Status == Serving
	if serving && (failing || silent) {
		t.Fatalf("readiness is serving without damping, but the host is not: %+v", w.facts.Host)
	}
	if len(w.facts.Instances) > 0 {
		return
	}
	if alone := p.Quorum == NoneNeeded && reported && !failing && !silent && !w.facts.Drained; serving != alone {
		t.Fatalf("without a process and damping readiness is %v, with the host %+v", undampedReady.Status, w.facts.Host)
	}
}

// isHung reports whether a critical landmark of a connected process fails.
func isHung(in *Instance, now Instant) bool {
	return in.Presence == Connected && slices.ContainsFunc(in.Landmarks, func(l Landmark) bool {
		return l.Impact == ImpactCritical && isFailing(l, now)
	})
}

// trackSince sets at to the instant since when the condition holds, 0 while it does
// not.
func trackSince(at *Instant, so bool, now Instant) {
	switch {
	case !so:
		*at = 0
	case *at == 0:
		*at = now
	}
}
