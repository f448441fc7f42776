//go:build lab

package lab

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// limit bounds every change of the table. It is far above what the changes take, which is printed: the machine has one
// processor, and on a busy host not all of that. keepalived at its own times is the slowest.
const limit = 150 * time.Second

// end is after all that a journal tells of.
const end = time.Duration(math.MaxInt64)

// story asks a journal the questions that a test has, and takes down what it finds.
type story struct {
	t *testing.T
	journal.Run
	problems []string            // what must not be
	unshown  []string            // what this run cannot show, be it so or not
	rows     []map[string]string // of the table of ways
}

// factors lengthen the patience that a machine derives from its pace when it boots: what a slower moment spoiled is played
// again with more.
var factors = []int{1, 2, 4}

// enough is the time after which no further play begins: on a host that is so slow it would show no more.
const enough = 5 * time.Minute

// long is from when on a gap is long enough to make a healthy program late: agents report several times a second, and
// landmarkd misses them after one.
const long = 250 * time.Millisecond

// tell plays a scenario and has its story judged. What is wrong fails the test, unless the machine was kept from running
// meanwhile: then the scenario is played again. What no play could show is inconclusive.
func tell(t *testing.T, scenario string, judge func(*story)) {
	t.Helper()
	began := time.Now()
	for n, factor := range factors {
		s := &story{t: t}
		run, err := play(t, scenario, factor)
		s.Run = run
		if err != nil {
			s.wrong("%v", err)
		} else {
			slices.SortStableFunc(s.Steps, func(a, b journal.Step) int { return cmp.Compare(a.At, b.At) })
			judge(s)
		}
		t.Logf("%s: a process starts in %v, checkers are patient for %v; %s", scenario, s.Pace.Start.Round(time.Millisecond), s.Pace.Patience, cmp.Or(s.slow(), "the machine was never kept from running"))
		slow := s.slow()
		if len(s.problems) > 0 && (slow == "" || len(run.Failure) > 0 && !s.mostlyStill()) {
			for _, p := range s.problems {
				t.Error(p)
			}
			return
		}
		if unsure := append(s.problems, s.unshown...); len(unsure) > 0 {
			if n+1 < len(factors) && time.Since(began) < enough {
				t.Logf("%s is played again, for %s:\n%s", scenario, cmp.Or(slow, "want of patience"), strings.Join(unsure, "\n"))
				continue
			}
			for _, u := range unsure {
				inconclusive.add(fmt.Sprintf("%s: %s (%s)", scenario, u, cmp.Or(slow, "the machine is too slow")))
			}
		}
		for _, row := range s.rows {
			found.add(row)
		}
		return
	}
}

// slow says how the host kept the machine from running, and is empty if it did not for long enough to matter.
func (s *story) slow() string {
	var longest, all time.Duration
	n := 0
	for _, g := range s.Gaps {
		if g.For >= long {
			n++
		}
		longest, all = max(longest, g.For), all+g.For
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("the host gave the machine no processor %d times for more than %v, the longest %v, %v in all", n, long, took(longest), took(all))
}

// mostlyStill reports whether the machine ran for less than half of the time. Else it did not wait in vain for want of it.
func (s *story) mostlyStill() bool {
	var all, last time.Duration
	for _, g := range s.Gaps {
		all, last = all+g.For, g.At+g.For
	}
	return 2*all > last
}

// notShown takes down what the run cannot show because the host was slow.
func (s *story) notShown(format string, args ...any) {
	s.unshown = append(s.unshown, fmt.Sprintf(format, args...))
}

// wrong takes down what must not be.
func (s *story) wrong(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

// phase is the time from a step until the next.
type phase struct{ from, until time.Duration }

// phases returns each phase that a step of the name began.
func (s *story) phases(step string) []phase {
	var phases []phase
	for i, x := range s.Steps {
		if x.Name != step {
			continue
		}
		p := phase{x.At, end}
		if i+1 < len(s.Steps) {
			p.until = s.Steps[i+1].At
		}
		phases = append(phases, p)
	}
	return phases
}

// only returns the phase that a step of the name began, which must have been taken exactly once.
func (s *story) only(step string) phase {
	s.t.Helper()
	phases := s.phases(step)
	if len(phases) != 1 {
		s.t.Fatalf("the step %q was taken %d times, want once", step, len(phases))
	}
	return phases[0]
}

// weighing is a weight that rs1 had from a time on.
type weighing struct {
	at     time.Duration
	weight int
}

// weights returns the weights of the server in the service, in their order.
func (s *story) weights(service, server string) []weighing {
	weights := []weighing{{0, 0}}
	for _, t := range s.Tables {
		if w := t.Weights[server]; t.Service == service && w != weights[len(weights)-1].weight {
			weights = append(weights, weighing{t.At, w})
		}
	}
	return weights
}

// changes returns when the server's presence in the service, which is a weight above 0, changed in the phase.
func (s *story) changes(service, server string, p phase) []time.Duration {
	var changes []time.Duration
	in := false
	for _, w := range s.weights(service, server) {
		if now := w.weight > 0; now != in {
			in = now
			if w.at > p.from && w.at <= p.until {
				changes = append(changes, w.at)
			}
		}
	}
	return changes
}

// change returns when in the phase the presence of rs1 in the service changed, which it must have done exactly once, and no
// later than the limit after its beginning.
func (s *story) change(service string, p phase) time.Duration {
	s.t.Helper()
	changes := s.changes(service, "rs1", p)
	if len(changes) != 1 {
		s.wrong("%s: between %v and %v the presence of rs1 changed %d times, want once", service, p.from, p.until, len(changes))
		return p.until
	}
	if took := changes[0] - p.from; took > limit {
		s.wrong("%s: the presence of rs1 changed %v after %v, want at most %v", service, took, p.from, limit)
	}
	return changes[0]
}

// steady fails the test if the server's presence in the service changed in the phase.
func (s *story) steady(service, server string, p phase) {
	s.t.Helper()
	if changes := s.changes(service, server, p); len(changes) > 0 {
		s.wrong("%s: the presence of %s changed at %v, want no change from %v to %v", service, server, changes, p.from, p.until)
	}
}

// requests returns the service's requests that began in the phase.
func (s *story) requests(service string, p phase) []journal.Request {
	var requests []journal.Request
	for _, r := range s.Requests {
		if r.Service == service && r.Start >= p.from && r.Start < p.until {
			requests = append(requests, r)
		}
	}
	return requests
}

// unexcused returns those of the service's failed requests that met none of the outages: times during which a client may be
// left without a programme, from a server's failure until it is out.
func (s *story) unexcused(service string, outages []phase) []journal.Request {
	return slices.DeleteFunc(failed(s.requests(service, phase{0, end})), func(r journal.Request) bool {
		return slices.ContainsFunc(outages, func(o phase) bool { return r.Start <= o.until && r.End >= o.from })
	})
}

// failed returns those of the requests that failed.
func failed(requests []journal.Request) []journal.Request {
	return slices.DeleteFunc(slices.Clone(requests), func(r journal.Request) bool { return r.OK })
}
