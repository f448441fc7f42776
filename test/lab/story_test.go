package lab

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// limit bounds every change of the table. It is far above what the changes take, which is printed: the machine has one
// processor, and on a busy host not all of that.
const limit = 30 * time.Second

// end is after all that a journal tells of.
const end = time.Duration(math.MaxInt64)

// story asks a journal the questions that a test has.
type story struct {
	t *testing.T
	journal.Run
	table strings.Builder // what is printed of it at the end
}

// row adds a line to the printed table.
func (s *story) row(at time.Duration, event, seen string) {
	fmt.Fprintf(&s.table, "%8.2f s  %-24s  %s\n", at.Seconds(), event, seen)
}

// at returns when the named step was taken, which it must have been exactly once.
func (s *story) at(step string) time.Duration {
	s.t.Helper()
	times := s.every(step)
	if len(times) != 1 {
		s.t.Fatalf("the step %q was reached %d times, want once", step, len(times))
	}
	return times[0]
}

// every returns each time that the named step was taken.
func (s *story) every(step string) []time.Duration {
	var times []time.Duration
	for _, x := range s.Steps {
		if x.Name == step {
			times = append(times, x.At)
		}
	}
	return times
}

// changes returns when the server's presence in the service changed after one instant and up to another.
func (s *story) changes(service, server string, after, until time.Duration) []time.Duration {
	var changes []time.Duration
	in := false
	for _, t := range s.Tables {
		if t.Service != service {
			continue
		}
		if now := slices.Contains(t.Servers, server); now != in {
			in = now
			if t.At > after && t.At <= until {
				changes = append(changes, t.At)
			}
		}
	}
	return changes
}

// change returns when the server's presence in the service changed, which it must have done exactly once between two
// instants, and no later than the limit after the first.
func (s *story) change(service, server string, after, until, limit time.Duration) time.Duration {
	s.t.Helper()
	changes := s.changes(service, server, after, until)
	if len(changes) != 1 {
		s.t.Fatalf("between %v and %v the presence of %s in %s changed %d times, want once", after, until, server, service, len(changes))
	}
	if took := changes[0] - after; took > limit {
		s.t.Errorf("the presence of %s in %s changed %v after %v, want at most %v", server, service, took, after, limit)
	}
	return changes[0]
}

// steady fails the test if the server's presence in the service changed between two instants.
func (s *story) steady(service, server string, after, until time.Duration) {
	s.t.Helper()
	if changes := s.changes(service, server, after, until); len(changes) > 0 {
		s.t.Errorf("the presence of %s in %s changed at %v, want no change from %v to %v", server, service, changes, after, until)
	}
}

// requests returns the service's requests that began between two instants.
func (s *story) requests(service string, from, until time.Duration) []journal.Request {
	var requests []journal.Request
	for _, r := range s.Requests {
		if r.Service == service && r.Start >= from && r.Start < until {
			requests = append(requests, r)
		}
	}
	return requests
}

// outage is a time during which a client may be left without a programme: from a server's failure until it is out.
type outage struct{ failed, out time.Duration }

// spared fails the test if a request of the service failed that did not meet one of the outages, or if no client asked
// after one of them. It returns how many requests failed so.
func (s *story) spared(service string, outages ...outage) int {
	s.t.Helper()
	unexcused := 0
	for _, r := range failed(s.requests(service, 0, end)) {
		if !slices.ContainsFunc(outages, func(o outage) bool { return r.Start <= o.out && r.End >= o.failed }) {
			unexcused++
			s.t.Errorf("a client that asked at %v had no programme by %v, though rs1 was well or out then", r.Start, r.End)
		}
	}
	for _, o := range outages {
		if len(s.requests(service, o.out, end)) == 0 {
			s.t.Errorf("no client asked after rs1 was taken out at %v", o.out)
		}
	}
	return unexcused
}

// failed returns those of the requests that failed.
func failed(requests []journal.Request) []journal.Request {
	return slices.DeleteFunc(slices.Clone(requests), func(r journal.Request) bool { return r.OK })
}

// longest returns how long the longest of the requests took.
func longest(requests []journal.Request) time.Duration {
	var most time.Duration
	for _, r := range requests {
		most = max(most, r.End-r.Start)
	}
	return most
}

// after says how long a change took.
func after(change string, took time.Duration) string {
	return fmt.Sprintf("%s after %.2f s", change, took.Seconds())
}
