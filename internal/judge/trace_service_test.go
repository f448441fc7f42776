package judge

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// trace is a service with the facts of a script. It is evaluated as the registry
// does: at each change of its facts, and at each Next, with the History of the last
// result.
type trace struct {
	t        *testing.T
	policy   Policy
	declared []*Declared // by every new instance
	service  Service
	result   Result
	now      Instant
}

func newTrace(t *testing.T) *trace {
	// The origin is in the past, since facts may be older than the sidecar.
	tr := &trace{t: t, policy: DefaultPolicy, now: Instant(100 * time.Hour)}
	tr.change()
	return tr
}

// change evaluates the service.
func (tr *trace) change() {
	tr.service.History = tr.result.History
	tr.result = Evaluate(tr.policy, tr.service, tr.now)
	if tr.result.Next <= tr.now {
		tr.t.Fatalf("the result at %d is due again at %d", tr.now, tr.result.Next)
	}
}

// advance lets time pass.
func (tr *trace) advance(d time.Duration) { tr.pass(d, func() {}) }

// pass lets time pass, and calls turned after each evaluation.
func (tr *trace) pass(d time.Duration, turned func()) {
	end := tr.now.Add(d)
	for end >= tr.result.Next {
		tr.now = tr.result.Next
		tr.change()
		turned()
	}
	tr.now = end
}

func (tr *trace) setPolicy(a *arguments) {
	a.duration("stale_after", &tr.policy.StaleAfter)
	a.duration("forget_after", &tr.policy.ForgetAfter)
	a.duration("fall_after", &tr.policy.FallAfter)
	a.duration("recover_after", &tr.policy.RecoverAfter)
	a.duration("slow_start", &tr.policy.SlowStart)
	switch instances := a.value("instances"); instances {
	case "none":
		tr.policy.Quorum = NoneNeeded
	case "":
	case "all":
		tr.policy.Quorum = All
	case "any":
		tr.policy.Quorum = Any
	default:
		n, err := strconv.Atoi(instances)
		if err != nil {
			tr.t.Fatal(err)
		}
		tr.policy.Quorum = Quorum{AtLeast: n}
	}
	tr.change()
}

var kinds = map[string]Kind{
	"alive": KindAlive, "deadline": KindDeadline, "loop": KindLoop, "level": KindLevel, "condition": KindCondition,
}

var impacts = map[string]Impact{
	"critical": ImpactCritical, "readiness": ImpactReadiness, "degrading": ImpactDegrading, "informational": ImpactInformational,
}

// declare adds a landmark to those of new instances. The default impact depends on
// its kind.
func (tr *trace) declare(a *arguments) { tr.declared = append(tr.declared, declaration(a)) }

// addHostLandmark adds a landmark of the host, which was not read yet.
func (tr *trace) addHostLandmark(a *arguments) {
	host := tr.service.Host
	tr.service.Host.Landmarks = append(slices.Clone(host.Landmarks), Landmark{Declared: declaration(a), At: tr.now})
	tr.service.Host.ReadAt = tr.now
	tr.change()
}

func declaration(a *arguments) *Declared {
	d := &Declared{Name: a.word(), Kind: lookUp(a, kinds, a.word()), Impact: ImpactCritical}
	switch impact := a.value("impact"); {
	case impact != "":
		d.Impact = lookUp(a, impacts, impact)
	case d.Kind == KindLevel:
		d.Impact = ImpactDegrading
	case d.Kind == KindCondition:
		d.Impact = ImpactReadiness
	}
	a.duration("within", &d.Within)
	a.duration("start_within", &d.StartWithin)
	a.duration("ttl", &d.TTL)
	d.Limits = Limits{DegradeAt: a.number("degrade_at"), FailAt: a.number("fail_at"), Below: a.has("below")}
	return d
}

// readHost reads the host. The named landmarks get the facts of the command; the
// others keep theirs.
func (tr *trace) readHost(a *arguments) {
	host := Host{Landmarks: slices.Clone(tr.service.Host.Landmarks), ReadAt: tr.now}
	var named []*Landmark
	for i := range host.Landmarks {
		if l := &host.Landmarks[i]; a.has(l.Name) {
			named = append(named, l)
		}
	}
	fact := tr.facts(a)
	fact.Reached = true
	for _, l := range named {
		declared := l.Declared
		*l = fact
		l.Declared = declared
	}
	tr.service.Host = host
	tr.change()
}

// report adds a report of an instance. The named landmarks get the facts of the
// command; the others keep theirs. All landmarks of a new instance are declared now.
func (tr *trace) report(a *arguments) {
	next := Instance{Name: "a", Since: tr.now}
	before := next
	if name := a.value("instance"); name != "" {
		next.Name = name
	}
	i := tr.index(next.Name)
	if i < 0 {
		i = len(tr.service.Instances)
		tr.service.Instances = append(tr.service.Instances, nil)
		for _, d := range tr.declared {
			next.Landmarks = append(next.Landmarks, Landmark{Declared: d, At: tr.now})
		}
	} else {
		before = *tr.service.Instances[i]
		next = before
		next.Landmarks = slices.Clone(next.Landmarks)
	}
	next.Presence, next.ReportedAt = Connected, tr.now
	next.Draining = a.has("draining")
	newcomer := a.has("newcomer")
	var named []*Landmark
	for j := range next.Landmarks {
		if l := &next.Landmarks[j]; a.has(l.Name) {
			named = append(named, l)
		}
	}
	if len(named) > 0 {
		fact := tr.facts(a)
		for _, l := range named {
			declared := l.Declared
			*l = fact
			l.Declared = declared
		}
	}
	before.Newcomer = newcomer
	next.ContinueFrom(&before, tr.policy)
	tr.service.Instances[i] = &next
	tr.change()
}

// facts parses the facts of a landmark, whatever its kind: [reached] [age=D] [open]
// [count=N] [pending=N] [lag=D] [value=X] [met] [why=WORDS] [unreadable=WORDS], with _
// for spaces. unreadable is the reason why reading the landmark failed.
func (tr *trace) facts(a *arguments) Landmark {
	var age, lag time.Duration
	a.duration("age", &age)
	a.duration("lag", &lag)
	why, unreadable := a.value("why"), a.value("unreadable")
	return Landmark{
		Reached:    a.has("reached"),
		At:         tr.now.Add(-age),
		Open:       a.has("open"),
		Count:      uint64(a.number("count")),
		Pending:    uint64(a.number("pending")),
		Lag:        lag,
		Value:      a.number("value"),
		Met:        a.has("met"),
		Reason:     strings.ReplaceAll(why+unreadable, "_", " "),
		Unreadable: unreadable != "",
	}
}

// leave ends an instance. One that leaves on purpose leaves no slot, unless it is the
// last.
func (tr *trace) leave(how Presence, a *arguments) {
	name := a.word()
	if name == "" {
		name = "a"
	}
	i := tr.index(name)
	if i < 0 {
		tr.t.Fatalf("%s: there is no instance %q", a.line, name)
	}
	defer tr.change()
	gone := *tr.service.Instances[i]
	if (how == SaidGoodbye || gone.Draining) && len(tr.service.Instances) > 1 {
		tr.service.Instances = slices.Delete(tr.service.Instances, i, i+1)
		return
	}
	gone.Presence, gone.Since = how, tr.now
	tr.service.Instances[i] = &gone
}

func (tr *trace) index(name string) int {
	return slices.IndexFunc(tr.service.Instances, func(in *Instance) bool { return in.Name == name })
}
