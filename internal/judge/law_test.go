package judge

import (
	"slices"

	"pgregory.net/rapid"
)

// law is what every verdict keeps, however the facts came about.
type law struct {
	facts  Service
	served bool    // readiness, once
	fell   Instant // since when readiness fails, damping aside; 0 if it does not
	barred Instant // since when a landmark of the host that bears on readiness fails; 0 if none does
	wedged Instant // since when a process that does not drain is wedged; 0 if none is
}

// hold holds what is judged of the facts at an instant.
func (w *law) hold(t *rapid.T, p Policy, j Result, now Instant) {
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
			t.Fatalf("%s is %v for %q", Aspect(a), v.Status, v.Cause)
		case serving != (v.Reason(now) == ""):
			t.Fatalf("%s is %v for the reason %q", Aspect(a), v.Status, v.Reason(now))
		case int(v.Failing) != failing:
			t.Fatalf("%s says that %d landmarks fail, described are %d", Aspect(a), v.Failing, failing)
		case Aspect(a) != Readiness && (v.Status != b.Status || v.Cause != b.Cause || v.Weight != b.Weight):
			t.Fatalf("%s is damped: %+v, by itself %+v", Aspect(a), v, b)
		}
	}

	ready, well := j.Verdicts[Readiness], bare.Verdicts[Readiness]
	w.holdHost(t, p, well, now)
	since(&w.fell, well.Status != Serving, now)
	since(&w.wedged, slices.ContainsFunc(w.facts.Instances, func(in *Instance) bool {
		return !in.Draining && isWedged(in, now)
	}), now)
	if p.Quorum == All && j.Verdicts[Liveness].Status == Serving &&
		slices.ContainsFunc(w.facts.Instances, func(in *Instance) bool { return isWedged(in, now) }) {
		t.Fatal("a process is wedged, and the service is alive")
	}
	if !w.served && well.Status == Serving && (ready.Status != Serving || ready.Weight != well.Weight) {
		t.Fatalf("the first time that it is ready it is %+v, by itself %+v", ready, well)
	}
	if ready.Status != Serving {
		return
	}
	w.served = true
	switch {
	case w.facts.Drained:
		t.Fatal("an operator drains it, and it is ready")
	case w.fell > 0 && now >= w.fell.Add(p.FallAfter):
		t.Fatalf("it is ready, and has not been well since %d", w.fell)
	case w.barred > 0 && now >= w.barred.Add(p.FallAfter):
		t.Fatalf("it is ready, and a landmark of its host fails since %d", w.barred)
	case w.wedged > 0 && p.Quorum == All && now >= w.wedged.Add(p.FallAfter):
		t.Fatalf("it is ready, and a process is wedged since %d", w.wedged)
	}
}

// holdHost holds readiness, damping aside, against what is seen of the host:
// who fails there is not ready, and where no process needs to be there and none
// is, it is the host that is.
func (w *law) holdHost(t *rapid.T, p Policy, well Verdict, now Instant) {
	vouched, barred := false, false
	for _, l := range w.facts.Host.Landmarks {
		if bearsOn(l, Readiness) {
			vouched = vouched || l.Reached
			barred = barred || !l.Reached || l.Unreadable || isFailing(l, now)
		}
	}
	silent := len(w.facts.Host.Landmarks) > 0 && now.Sub(w.facts.Host.ReadAt) > p.StaleAfter
	since(&w.barred, barred || silent, now)
	serving := well.Status == Serving
	if serving && (barred || silent) {
		t.Fatalf("it is ready by itself, and its host is not: %+v", w.facts.Host)
	}
	if len(w.facts.Instances) > 0 {
		return
	}
	if alone := p.Quorum == NoneNeeded && vouched && !barred && !silent && !w.facts.Drained; serving != alone {
		t.Fatalf("without a process it is %v by itself, its host being %+v", well.Status, w.facts.Host)
	}
}

// isWedged reports whether a critical landmark of a process that is there
// fails.
func isWedged(in *Instance, now Instant) bool {
	return in.Presence == Connected && slices.ContainsFunc(in.Landmarks, func(l Landmark) bool {
		return l.Impact == ImpactCritical && isFailing(l, now)
	})
}

// since keeps in at since when something has been so, 0 while it is not.
func since(at *Instant, so bool, now Instant) {
	switch {
	case !so:
		*at = 0
	case *at == 0:
		*at = now
	}
}
