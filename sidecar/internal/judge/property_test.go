package judge

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestVerdictsStandUntilNext holds that time alone changes no verdict before
// the instant that it names.
func TestVerdictsStandUntilNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, facts, now := drawPolicy(t), drawService(t), drawInstant(t, "now")
		verdicts := Evaluate(policy, facts, now).Verdicts
		end := verdicts[Readiness].Next
		for _, v := range verdicts {
			if v.Next <= now {
				t.Fatalf("the verdict of %d is next due at %d", now, v.Next)
			}
			end = min(end, v.Next)
		}
		later := []Instant{end - 1, Instant(rapid.Int64Range(int64(now), int64(end-1)).Draw(t, "later"))}
		for _, in := range facts.Instances { // what could make the judge forget an instant
			for _, at := range []Instant{in.Heard.Add(policy.StaleAfter), in.Since.Add(policy.ForgetAfter)} {
				later = append(later, at, at+1)
			}
			for _, l := range in.Landmarks {
				later = append(later, l.At.Add(l.Within), l.At.Add(l.Within)+1, l.At.Add(l.StartWithin)+1)
			}
		}
		for _, then := range later {
			if then < now {
				continue
			}
			for a, w := range Evaluate(policy, facts, then).Verdicts {
				v := verdicts[a]
				if then < v.Next && (v.Status != w.Status || v.Cause != w.Cause || v.Weight != w.Weight || v.Failing != w.Failing) {
					t.Fatalf("%s of %d became, before its next at %d, at %d\n%+v\nfrom\n%+v", Aspect(a), now, v.Next, then, w, v)
				}
			}
		}
	})
}

// TestVerdictsKeepTheLaw holds the verdicts on facts of any kind against rules
// that are said in other words than the judge's.
func TestVerdictsKeepTheLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, facts, now := drawPolicy(t), drawService(t), drawInstant(t, "now")
		verdicts := Evaluate(policy, facts, now).Verdicts
		for a, v := range verdicts {
			if (v.Weight == 0) != (v.Status != Serving) || v.Weight > 100 {
				t.Fatalf("%s is %v with weight %d", Aspect(a), v.Status, v.Weight)
			}
			if (v.Cause == None) != (v.Status == Serving) {
				t.Fatalf("%s is %v for %q", Aspect(a), v.Status, v.Cause)
			}
			if (v.Reason(now) == "") != (v.Status == Serving) {
				t.Fatalf("%s is %v for the reason %q", Aspect(a), v.Status, v.Reason(now))
			}
		}
		if verdicts[Readiness].Status == Serving {
			for _, a := range []Aspect{Liveness, Startup} {
				if verdicts[a].Status != Serving {
					t.Fatalf("it is ready, but its %s is %+v", a, verdicts[a])
				}
			}
		}
		ready := 0
		for _, in := range facts.Instances {
			well := wellIn(policy, in, now)
			if well[Readiness] {
				ready++
			}
			if in.Newcomer || in.Presence == Vacant && now.Sub(in.Since) > policy.ForgetAfter {
				continue
			}
			for _, a := range []Aspect{Readiness, Liveness} {
				if !well[a] && verdicts[a].Status == Serving {
					t.Fatalf("%s is serving, with instance %s as it is: %+v", a, in.Name, *in)
				}
			}
		}
		if ready == 0 && verdicts[Readiness].Status == Serving {
			t.Fatal("the service is ready, and none of its processes is")
		}
	})
}

// wellIn reports whether a process is ready and alive by its own facts.
func wellIn(p Policy, in *Instance, now Instant) (well [Aspects]bool) {
	if in.Presence != Connected || now.Sub(in.Heard) > p.StaleAfter {
		return well
	}
	bearing := false
	well[Readiness], well[Liveness] = true, true
	for _, l := range in.Landmarks {
		age := now.Sub(l.At)
		beyond := !l.Reached && l.StartWithin > 0 && age > l.StartWithin ||
			l.Reached && age > l.Within && (l.Kind == KindAlive || l.Open)
		switch l.Impact {
		case ImpactCritical:
			well[Liveness] = well[Liveness] && !beyond
			fallthrough
		case ImpactReadiness:
			bearing = true
			well[Readiness] = well[Readiness] && l.Reached && !beyond
		}
	}
	well[Readiness] = well[Readiness] && bearing
	return well
}

// The instants are few, so that they often meet their limits to the very
// nanosecond, and each other.

func drawInstant(t *rapid.T, label string) Instant {
	return Instant(rapid.IntRange(0, 20).Draw(t, label))
}

func drawLimit(t *rapid.T, label string) time.Duration {
	return time.Duration(rapid.IntRange(0, 12).Draw(t, label))
}

func drawPolicy(t *rapid.T) Policy {
	return Policy{StaleAfter: drawLimit(t, "stale_after"), ForgetAfter: drawLimit(t, "forget_after")}
}

func drawService(t *rapid.T) Service {
	var s Service
	for range rapid.IntRange(0, 3).Draw(t, "instances") {
		in := &Instance{
			Name:     string(rune('a' + len(s.Instances))),
			Presence: rapid.SampledFrom([]Presence{Connected, Connected, Vacant, SaidGoodbye}).Draw(t, "presence"),
			Since:    drawInstant(t, "since"),
			Heard:    drawInstant(t, "heard"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "landmarks") {
			in.Landmarks = append(in.Landmarks, drawLandmark(t))
		}
		// As the registry keeps them: whoever is ready has started, and who
		// has started is no newcomer.
		in.Started = in.HasStarted() || rapid.Bool().Draw(t, "started")
		in.Newcomer = !in.Started && rapid.Bool().Draw(t, "newcomer")
		s.Instances = append(s.Instances, in)
	}
	return s
}

func drawLandmark(t *rapid.T) Landmark {
	return Landmark{
		Declared: &Declared{
			Name:        rapid.SampledFrom([]string{"main", "feed", "disk"}).Draw(t, "name"),
			Kind:        rapid.SampledFrom([]Kind{KindAlive, KindLoop}).Draw(t, "kind"),
			Impact:      Impact(rapid.IntRange(1, 4).Draw(t, "impact")),
			Within:      drawLimit(t, "within"),
			StartWithin: drawLimit(t, "start_within"),
		},
		Reached: rapid.Bool().Draw(t, "reached"),
		At:      drawInstant(t, "at"),
		Open:    rapid.Bool().Draw(t, "open"),
	}
}
