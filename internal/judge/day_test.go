package judge

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRandomDaysAgreeWithNaiveJudge plays a thousand random days of random services.
// It feeds the judge as the registry does, and compares it with the naive judge and
// the invariants. There are 10 times as many days as -rapid.checks says, each with
// twice as many steps as -rapid.steps says.
func TestRandomDaysAgreeWithNaiveJudge(t *testing.T) {
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
		"operate":     d.operatorDrain,
		"restart":     d.restart,
		"settle":      d.endGrace,
		"see":         d.readHost,
		"pass":        d.pass,
		"pass a turn": d.passToTurn,
	}
	t.Repeat(happenings)
	t.Repeat(happenings)
}

// day is a service, the events of a day, and the results of two judges.
type day struct {
	now        Instant
	policy     Policy
	drained    bool // by an operator
	grace      bool // the sidecar has just started
	unknown    bool // the sidecar does not know which processes there were before
	host       Host
	slots      []slot // in the order of joining, as the registry keeps them
	processes  int    // how many there have been
	result     Result
	judged     Instant // the instant of result
	naive      naive
	invariants invariants
}

// slot is a process and its slot, or the vacancy that it left.
type slot struct {
	id int // of the process
	Instance
	restored     *Instance // if it is awaited: its instance if it does not come back
	wasConnected bool      // if it is awaited: it was connected before the restart
}

// newDay starts with random processes, also in combinations that the registry does
// not allow.
func newDay(t *rapid.T) *day {
	d := &day{policy: drawPolicy(t), now: Instant(1000 * time.Hour)}
	d.naive.policy = d.policy
	d.host = drawHost(t, d.now)
	for i := range drawOneOf(t, "processes", 0, 1, 2, 3) {
		p := d.newSlot(t, string(rune('a'+i)))
		p.Presence = drawOneOf(t, "presence", Connected, Connected, Connected, Connected, Vacant, SaidGoodbye)
		p.Since = d.now.Add(-drawDuration(t, "gone for"))
		p.ReportedAt = d.now.Add(-drawDuration(t, "silent for"))
		p.Started = p.HasStarted()
		beside := rapid.Bool().Draw(t, "beside")
		if beside {
			p.Newcomer, p.Seq = !p.Started, uint64(i+1)
		}
		d.slots = append(d.slots, p)
		d.naive.members = append(d.naive.members, member{id: p.id, name: p.Name, presence: p.Presence, since: p.Since, newcomer: beside})
	}
	d.change(t)
	return d
}

// change gives both judges the current facts.
func (d *day) change(t *rapid.T) {
	host := Host{ReadAt: d.host.ReadAt, Landmarks: slices.Clone(d.host.Landmarks)}
	m := moment{at: d.now, drained: d.drained, incomplete: d.unknown, host: host.Landmarks, hostReadAt: host.ReadAt}
	service := Service{Drained: d.drained, Host: host, Incomplete: d.unknown}
	reported := map[int]*Instance{}
	for _, p := range d.slots {
		in := p.Instance
		in.Landmarks = slices.Clone(p.Landmarks)
		reported[p.id] = &in
		service.Instances = append(service.Instances, &in)
	}
	for _, p := range d.naive.members {
		in := reported[p.id]
		if in == nil || in.Presence != p.presence || len(d.slots) != len(d.naive.members) {
			t.Fatalf("the slots are %+v, want those of %+v", d.slots, d.naive.members)
		}
		p.reportedAt, p.draining, p.facts = in.ReportedAt, in.Draining, in.Landmarks
		m.members = append(m.members, p)
	}
	d.naive.happen(m)
	d.invariants.facts = service
	d.evaluate(t)
}

// evaluate evaluates the service and compares the results.
func (d *day) evaluate(t *rapid.T) {
	service := d.invariants.facts
	service.History = d.result.History
	d.result = Evaluate(d.policy, service, d.now)
	d.judged = d.now
	if d.result.Next <= d.now {
		t.Fatalf("the result at %d is due again at %d", d.now, d.result.Next)
	}
	for a, v := range d.result.Verdicts {
		d.compare(t, Aspect(a), v, d.now)
	}
	d.invariants.check(t, d.policy, d.result, d.now)
}

// passUntil lets time pass until an instant. Each result must hold until its Next.
func (d *day) passUntil(t *rapid.T, until Instant) {
	for {
		end := min(until, d.result.Next-1)
		for _, at := range append(d.naive.turns(d.now, end), end) {
			for a, v := range d.result.Verdicts {
				d.compare(t, Aspect(a), v, at)
			}
		}
		if until < d.result.Next {
			d.now = until
			return
		}
		d.now = d.result.Next
		d.evaluate(t)
	}
}

// compare compares a verdict with the naive judge's at an instant.
func (d *day) compare(t *rapid.T, a Aspect, v Verdict, now Instant) {
	want := d.naive.at(a, now)
	fail := func(what string, got, want any) {
		t.Fatalf("%s, evaluated at %d: at %d the %s is %v, want %v: %s\n%+v\n%+v", a, d.judged, now, what, got, want, v.Reason(now), v, want)
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
	// A rising weight rises in steps: it may be one step behind.
	behind := 0.0
	if want.rising {
		behind = 100 * float64(now.Sub(d.judged)) / float64(d.policy.SlowStart)
	}
	if w := float64(v.Weight); w > want.percent+0.5001 || w < want.percent-0.5001-behind {
		fail("weight", v.Weight, want.percent)
	}
	d.compareInstance(t, a, v, want, now)
}

// compareInstance compares the instance in a verdict's reason with those that have
// the cause. It may be any of them. The landmark must be one that gives that cause,
// and, except for startup, the one that was reached longest ago.
func (d *day) compareInstance(t *rapid.T, a Aspect, v Verdict, want expected, now Instant) {
	if v.instance == nil {
		if len(want.instances) > 0 {
			t.Fatalf("%q names no instance, want one of %+v", v.Reason(now), want.instances)
		}
		d.compareHost(t, v, want, now)
		return
	}
	i := slices.IndexFunc(want.instances, func(m member) bool { return m.name == v.instance.Name })
	if i < 0 {
		t.Fatalf("%q names %s, want one of %+v", v.Reason(now), v.instance.Name, want.instances)
	}
	if v.Cause != Stalled && v.Cause != Failed && v.Cause != Starting {
		if v.landmark != nil {
			t.Fatalf("%q names the landmark %s", v.Cause, v.landmark.Name)
		}
		return
	}
	var named []Landmark
	for _, l := range want.instances[i].facts {
		if a == Startup && affectsAspect(l, Readiness) && isNotYetReached(l) || affectsAspect(l, a) && causeOfLandmark(l, a, now) == v.Cause {
			named = append(named, l)
		}
	}
	if len(named) == 0 && v.landmark == nil {
		return // no landmark affects it
	}
	if a != Startup {
		oldest := slices.MinFunc(named, func(l, m Landmark) int { return cmp.Compare(l.At, m.At) }).At
		named = slices.DeleteFunc(named, func(l Landmark) bool { return l.At > oldest })
	}
	if v.landmark == nil || !slices.ContainsFunc(named, func(l Landmark) bool { return l.Name == v.landmark.Name }) {
		t.Fatalf("%q names %+v, want one of %+v", v.Reason(now), v.landmark, named)
	}
}

// compareHost compares the landmark of the host in a verdict's reason with those
// that gave the cause.
func (d *day) compareHost(t *rapid.T, v Verdict, want expected, now Instant) {
	named := slices.ContainsFunc(want.host, func(l Landmark) bool { return v.landmark != nil && l.Name == v.landmark.Name })
	if named != (v.landmark != nil) || named != (len(want.host) > 0) {
		t.Fatalf("%q names %+v of the host, want one of %+v", v.Reason(now), v.landmark, want.host)
	}
}
