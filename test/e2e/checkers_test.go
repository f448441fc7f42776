//go:build e2e

package e2e_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// expectations are the allowed answers by name, as they change over time. They
// change in phases: during a change the old and the new answer are allowed, after
// it only the new one.
type expectations struct {
	mu     sync.Mutex
	phases []map[string][]string // the allowed answers by name; guarded by mu
}

// next begins a phase in which the answers in each of the sets are allowed.
func (x *expectations) next(sets ...map[string]string) {
	phase := make(map[string][]string)
	for _, set := range sets {
		for name, answer := range set {
			phase[name] = append(phase[name], answer)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.phases = append(x.phases, phase)
}

// phase returns the number of the current phase.
func (x *expectations) phase() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.phases) - 1
}

// allow reports whether a check that began in phase first and has ended now may
// have got the answer.
func (x *expectations) allow(first int, name, got string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.phases[first:], func(phase map[string][]string) bool {
		return slices.ContainsFunc(phase[name], func(want string) bool { return sameAnswer(got, want) })
	})
}

// unknown is LMP's answer for a name of no service.
const unknown = "UNKNOWN_SERVICE unknown service"

// sameAnswer reports whether got is the wanted answer, in the words of LMP or in those
// of gRPC, which has no causes.
func sameAnswer(got, want string) bool {
	return matches(got, want) || got == "SERVICE_UNKNOWN" && want == unknown
}

// checker checks one name after the other without pause, and keeps the answers
// that are not allowed.
type checker struct {
	protocol string
	answers  int
	slowest  time.Duration
	wrong    []string
}

// run checks until stop is closed.
func (c *checker) run(e *env, check checkFunc, names []string, x *expectations, stop <-chan struct{}) {
	for {
		for _, name := range names {
			select {
			case <-stop:
				return
			default:
			}
			phase, begun := x.phase(), time.Now()
			got := check(e, name)
			c.answers++
			c.slowest = max(c.slowest, time.Since(begun))
			if !x.allow(phase, name, got) {
				c.wrong = append(c.wrong, fmt.Sprintf("%q is %s", name, got))
			}
		}
	}
}

// checkers are several running checkers of every protocol.
type checkers struct {
	t       *testing.T
	each    []*checker
	running sync.WaitGroup
	stop    chan struct{}
}

// startCheckers starts three checkers by LMP over UDP, two by LMP over TCP and
// three by gRPC.
func startCheckers(e *env, names []string, x *expectations) *checkers {
	cs := &checkers{t: e.t, stop: make(chan struct{})}
	for i, protocol := range []string{"udp", "tcp", "grpc", "udp", "tcp", "grpc", "udp", "grpc"} {
		check := checkGRPC(e)
		if protocol != "grpc" {
			check = checkLMP(protocol, 0)
		}
		c := &checker{protocol: protocol}
		cs.each = append(cs.each, c)
		first := i * len(names) / 8 // each begins at another name
		cs.running.Go(func() { c.run(e, check, slices.Concat(names[first:], names[:first]), x, cs.stop) })
	}
	return cs
}

// end stops the checkers. It asserts that each got answers and that all of them
// were allowed; with strictTimes also that there were at least so many, and none
// took longer than the bound.
func (cs *checkers) end(least int, bound time.Duration) {
	cs.t.Helper()
	close(cs.stop)
	cs.running.Wait()
	for _, c := range cs.each {
		if n := len(c.wrong); n > 0 {
			cs.t.Errorf("by %s: got %d wrong answers of %d, want 0; the first: %q", c.protocol, n, c.answers, c.wrong[:min(n, 5)])
		}
		assertWithin(cs.t, c.slowest, bound, "the slowest answer by %s", c.protocol)
		if c.answers == 0 || strictTimes && c.answers < least {
			cs.t.Errorf("by %s: got %d answers, want at least %d", c.protocol, c.answers, least)
		}
		cs.t.Logf("by %-4s %d answers, the slowest after %v", c.protocol, c.answers, c.slowest.Round(time.Millisecond))
	}
}
