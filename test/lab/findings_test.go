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

// changeLimit bounds every change of the director's table. It is far longer than the changes take, which is printed: the
// machine has one processor, and on a busy host only part of that. keepalived with its default times is the slowest.
const changeLimit = 150 * time.Second

// end is later than everything in a journal.
const end = time.Duration(math.MaxInt64)

// findings are the journal of one run, and what its checks found.
type findings struct {
	t *testing.T
	journal.Run
	problems []string            // what is wrong
	unshown  []string            // what this run could not show, because the host was slow
	rows     []map[string]string // of the table of ways
}

// timeoutFactors multiply the timeouts that a machine derives from its speed when it boots. A scenario that a slow moment
// spoiled is played again with the next factor.
var timeoutFactors = []int{1, 2, 4}

// replayLimit is the time after which a scenario is not played again: on a host this slow it would show no more.
const replayLimit = 5 * time.Minute

// gapLimit is the length from which a gap can make a healthy program late: agents report several times a second, and
// landmarkd misses their reports after a second.
const gapLimit = 250 * time.Millisecond

// playAndCheck plays a scenario and checks its journal. A problem fails the test, unless the host stopped the machine
// meanwhile: then the scenario is played again. What no run could show is inconclusive.
func playAndCheck(t *testing.T, scenario string, check func(*findings)) {
	t.Helper()
	began := time.Now()
	for n, factor := range timeoutFactors {
		s := &findings{t: t}
		run, err := play(t, scenario, factor)
		s.Run = run
		if err != nil {
			s.errorf("%v", err)
		} else {
			slices.SortStableFunc(s.Steps, func(a, b journal.Step) int { return cmp.Compare(a.At, b.At) })
			check(s)
		}
		t.Logf("%s: a process starts in %v, checkers retry for %v; %s", scenario, s.Speed.Start.Round(time.Millisecond), s.Speed.Timeout, cmp.Or(s.slow(), "the host never stopped the machine"))
		slow := s.slow()
		if len(s.problems) > 0 && (slow == "" || len(run.Failure) > 0 && !s.mostlyStopped()) {
			for _, p := range s.problems {
				t.Error(p)
			}
			return
		}
		if unsure := append(s.problems, s.unshown...); len(unsure) > 0 {
			if n+1 < len(timeoutFactors) && time.Since(began) < replayLimit {
				t.Logf("%s is played again, because %s:\n%s", scenario, cmp.Or(slow, "the timeouts were too short"), strings.Join(unsure, "\n"))
				continue
			}
			for _, u := range unsure {
				inconclusive.add(fmt.Sprintf("%s: %s (%s)", scenario, u, cmp.Or(slow, "the machine is too slow")))
			}
		}
		for _, row := range s.rows {
			wayTable.add(row)
		}
		return
	}
}

// slow describes how the host stopped the machine. It returns "" if no gap was long enough to matter.
func (s *findings) slow() string {
	var longest, all time.Duration
	n := 0
	for _, g := range s.Gaps {
		if g.For >= gapLimit {
			n++
		}
		longest, all = max(longest, g.For), all+g.For
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("the host stopped the machine %d times for more than %v, the longest %v, %v in all", n, gapLimit, took(longest), took(all))
}

// mostlyStopped reports whether the machine ran for less than half of the time. Otherwise a wait that timed out did not do
// so because the host was slow.
func (s *findings) mostlyStopped() bool {
	var all, last time.Duration
	for _, g := range s.Gaps {
		all, last = all+g.For, g.At+g.For
	}
	return 2*all > last
}

// inconclusivef records what the run cannot show because the host was slow.
func (s *findings) inconclusivef(format string, args ...any) {
	s.unshown = append(s.unshown, fmt.Sprintf(format, args...))
}

// errorf records a problem.
func (s *findings) errorf(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

// phase is the time from a step until the next.
type phase struct{ from, until time.Duration }

// phases returns each phase that a step of the name began.
func (s *findings) phases(step string) []phase {
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

// only returns the phase of a step that must have been taken exactly once.
func (s *findings) only(step string) phase {
	s.t.Helper()
	phases := s.phases(step)
	if len(phases) != 1 {
		s.t.Fatalf("step %q: got %d times, want 1", step, len(phases))
	}
	return phases[0]
}

// weightChange is a weight that a server had from a time on.
type weightChange struct {
	at     time.Duration
	weight int
}

// weights returns the weights of the server in the service, in order.
func (s *findings) weights(service, server string) []weightChange {
	weights := []weightChange{{0, 0}}
	for _, t := range s.Tables {
		if w := t.Weights[server]; t.Service == service && w != weights[len(weights)-1].weight {
			weights = append(weights, weightChange{t.At, w})
		}
	}
	return weights
}

// changes returns when in the phase the server was taken out of the service or put in. It is in if its weight is above 0.
func (s *findings) changes(service, server string, p phase) []time.Duration {
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

// change returns when in the phase rs1 was taken out of the service or put in. That must have happened exactly once, and
// within changeLimit.
func (s *findings) change(service string, p phase) time.Duration {
	s.t.Helper()
	changes := s.changes(service, "rs1", p)
	if len(changes) != 1 {
		s.errorf("%s: changes of rs1 between %v and %v: got %d, want 1", service, p.from, p.until, len(changes))
		return p.until
	}
	if took := changes[0] - p.from; took > changeLimit {
		s.errorf("%s: change of rs1 at %v: took %v, want at most %v", service, p.from, took, changeLimit)
	}
	return changes[0]
}

// steady records a problem if the server was taken out of the service or put in during the phase.
func (s *findings) steady(service, server string, p phase) {
	s.t.Helper()
	if changes := s.changes(service, server, p); len(changes) > 0 {
		s.errorf("%s: changes of %s between %v and %v: got %v, want none", service, server, p.from, p.until, changes)
	}
}

// requests returns the requests of the service that began in the phase.
func (s *findings) requests(service string, p phase) []journal.Request {
	var requests []journal.Request
	for _, r := range s.Requests {
		if r.Service == service && r.Start >= p.from && r.Start < p.until {
			requests = append(requests, r)
		}
	}
	return requests
}

// unexcused returns the failed requests of the service that overlap none of the outages. An outage is a time in which
// requests may fail: from a server's failure until it is out.
func (s *findings) unexcused(service string, outages []phase) []journal.Request {
	return slices.DeleteFunc(failed(s.requests(service, phase{0, end})), func(r journal.Request) bool {
		return slices.ContainsFunc(outages, func(o phase) bool { return r.Start <= o.until && r.End >= o.from })
	})
}

// failed returns the requests that failed.
func failed(requests []journal.Request) []journal.Request {
	return slices.DeleteFunc(slices.Clone(requests), func(r journal.Request) bool { return r.OK })
}
