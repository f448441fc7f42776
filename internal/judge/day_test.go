package judge

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestDays plays a thousand random days of random services, and holds the
// judge, fed as the registry feeds it, against the naive one and against the
// law. There are ten times as many days as -rapid.checks says, each of two
// times as many steps as -rapid.steps says.
func TestDays(t *testing.T) {
	for i := range 10 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, playDay)
		})
	}
}

func playDay(t *rapid.T) {
	d := newDay(t)
	happenings := map[string]func(*rapid.T){
		"join":        d.join,
		"report":      d.report,
		"work":        d.work,
		"work on":     d.work,
		"hang":        d.hang,
		"drain":       d.drain,
		"leave":       d.leave,
		"operate":     d.operate,
		"restart":     d.restart,
		"settle":      d.settle,
		"see":         d.see,
		"pass":        d.pass,
		"pass a turn": d.passTurn,
	}
	t.Repeat(happenings)
	t.Repeat(happenings)
}

// day is a service, what happens to it, and what two judges make of that.
type day struct {
	now     Instant
	policy  Policy
	drained bool // by an operator
	grace   bool // the sidecar has just started
	unknown bool // nothing said who was there before that
	host    Host
	places  []place // in the order of joining, as the registry keeps them
	born    int     // processes that there have been
	present Result
	judged  Instant // when present was
	naive   naive
	law     law
}

// place is a process's place in the service: its process, or the vacancy that
// that left.
type place struct {
	id int // of the process
	Instance
	gone  *Instance // if it is awaited: what it becomes if it does not come back
	there bool      // if it is awaited: it was there to the last
}

// newDay begins with whatever may be there, also with what the registry would
// not let come about.
func newDay(t *rapid.T) *day {
	d := &day{policy: drawPolicy(t), now: Instant(1000 * time.Hour)}
	d.naive.policy = d.policy
	d.host = drawHost(t, d.now)
	for i := range drawAmong(t, "processes", 0, 1, 2, 3) {
		p := d.newPlace(t, string(rune('a'+i)))
		p.Presence = drawAmong(t, "presence", Connected, Connected, Connected, Connected, Vacant, SaidGoodbye)
		p.Since = d.now.Add(-drawSpan(t, "gone for"))
		p.ReportedAt = d.now.Add(-drawSpan(t, "silent for"))
		p.Started = p.HasStarted()
		beside := rapid.Bool().Draw(t, "beside")
		if beside {
			p.Newcomer, p.Seq = !p.Started, uint64(i+1)
		}
		d.places = append(d.places, p)
		d.naive.members = append(d.naive.members, member{id: p.id, name: p.Name, gone: p.Presence, since: p.Since, beside: beside})
	}
	d.change(t)
	return d
}

// change has both judges told of the facts as they are now.
func (d *day) change(t *rapid.T) {
	host := Host{ReadAt: d.host.ReadAt, Landmarks: slices.Clone(d.host.Landmarks)}
	m := moment{at: d.now, drained: d.drained, incomplete: d.unknown, seen: host.Landmarks, seenAt: host.ReadAt}
	service := Service{Drained: d.drained, Host: host, Incomplete: d.unknown}
	reported := map[int]*Instance{}
	for _, p := range d.places {
		in := p.Instance
		in.Landmarks = slices.Clone(p.Landmarks)
		reported[p.id] = &in
		service.Instances = append(service.Instances, &in)
	}
	for _, p := range d.naive.members {
		in := reported[p.id]
		if in == nil || in.Presence != p.gone || len(d.places) != len(d.naive.members) {
			t.Fatalf("the places are %+v, want those of %+v", d.places, d.naive.members)
		}
		p.heard, p.draining, p.facts = in.ReportedAt, in.Draining, in.Landmarks
		m.members = append(m.members, p)
	}
	d.naive.happen(m)
	d.law.facts = service
	d.judge(t)
}

// evaluate has the service judged, and compares.
func (d *day) judge(t *rapid.T) {
	service := d.law.facts
	service.History = d.present.History
	d.present = Evaluate(d.policy, service, d.now)
	d.judged = d.now
	if d.present.Next <= d.now {
		t.Fatalf("what is judged at %d is next due at %d", d.now, d.present.Next)
	}
	for a, v := range d.present.Verdicts {
		d.compare(t, Aspect(a), v, d.now)
	}
	d.law.hold(t, d.policy, d.present, d.now)
}

// passUntil lets time pass up to an instant. What was judged is to stand until
// the instant it names as its next.
func (d *day) passUntil(t *rapid.T, until Instant) {
	for {
		end := min(until, d.present.Next-1)
		for _, at := range append(d.naive.turns(d.now, end), end) {
			for a, v := range d.present.Verdicts {
				d.compare(t, Aspect(a), v, at)
			}
		}
		if until < d.present.Next {
			d.now = until
			return
		}
		d.now = d.present.Next
		d.judge(t)
	}
}

// compare holds a verdict against what the naive judge expects at an instant.
func (d *day) compare(t *rapid.T, a Aspect, v Verdict, now Instant) {
	want := d.naive.at(a, now)
	fail := func(what string, got, want any) {
		t.Fatalf("%s, judged at %d, has at %d %s %v, want %v: %s\n%+v\n%+v", a, d.judged, now, what, got, want, v.Reason(now), v, want)
	}
	switch {
	case v.Status != want.status:
		fail("status", v.Status, want.status)
	case v.Cause != want.cause:
		fail("cause", v.Cause, want.cause)
	case int(v.Failing) != want.failing:
		fail("failing", v.Failing, want.failing)
	case v.FactsAt != want.factsAt && want.cause != Unreported:
		fail("facts of", v.FactsAt, want.factsAt)
	}
	// A weight that rises does so in steps: it may lag behind by one.
	behind := 0.0
	if want.rising {
		behind = 100 * float64(now.Sub(d.judged)) / float64(d.policy.SlowStart)
	}
	if w := float64(v.Weight); w > want.percent+0.5001 || w < want.percent-0.5001-behind {
		fail("weight", v.Weight, want.percent)
	}
	d.compareCulprit(t, a, v, want, now)
}

// compareCulprit holds whom a verdict's reason names against those whose cause
// it is. Of them it may be any, and the landmark is one that gives that cause
// and, while it runs, is out of touch for longest.
func (d *day) compareCulprit(t *rapid.T, a Aspect, v Verdict, want expected, now Instant) {
	if v.instance == nil {
		if len(want.culprits) > 0 {
			t.Fatalf("%q names nobody, want one of %+v", v.Reason(now), want.culprits)
		}
		d.compareSeen(t, v, want, now)
		return
	}
	i := slices.IndexFunc(want.culprits, func(m member) bool { return m.name == v.instance.Name })
	if i < 0 {
		t.Fatalf("%q names %s, want one of %+v", v.Reason(now), v.instance.Name, want.culprits)
	}
	if v.Cause != Stalled && v.Cause != Failed && v.Cause != Starting {
		if v.landmark != nil {
			t.Fatalf("%q names the landmark %s", v.Cause, v.landmark.Name)
		}
		return
	}
	var named []Landmark
	for _, l := range want.culprits[i].facts {
		if a == Startup && bearsOn(l, Readiness) && isAwaited(l) || bearsOn(l, a) && causeOfLandmark(l, a, now) == v.Cause {
			named = append(named, l)
		}
	}
	if len(named) == 0 && v.landmark == nil {
		return // no landmark bears on it
	}
	if a != Startup {
		oldest := slices.MinFunc(named, func(l, m Landmark) int { return cmp.Compare(l.At, m.At) }).At
		named = slices.DeleteFunc(named, func(l Landmark) bool { return l.At > oldest })
	}
	if v.landmark == nil || !slices.ContainsFunc(named, func(l Landmark) bool { return l.Name == v.landmark.Name }) {
		t.Fatalf("%q names %+v, want one of %+v", v.Reason(now), v.landmark, named)
	}
}

// compareSeen holds the landmark of the host that a verdict's reason names
// against those whose cause it is.
func (d *day) compareSeen(t *rapid.T, v Verdict, want expected, now Instant) {
	named := slices.ContainsFunc(want.seen, func(l Landmark) bool { return v.landmark != nil && l.Name == v.landmark.Name })
	if named != (v.landmark != nil) || named != (len(want.seen) > 0) {
		t.Fatalf("%q names %+v of the host, want one of %+v", v.Reason(now), v.landmark, want.seen)
	}
}
