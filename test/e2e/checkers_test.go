//go:build e2e

package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// truth is what may be told of each name as it changes: one age allows the old
// and the new, the next the new alone.
type truth struct {
	mu   sync.Mutex
	ages []map[string][]string // the allowed answers by name; guarded by mu
}

// turn begins an age in which each of the tellings, by name, is allowed.
func (tr *truth) turn(tellings ...map[string]string) {
	age := make(map[string][]string)
	for _, told := range tellings {
		for name, answer := range told {
			age[name] = append(age[name], answer)
		}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.ages = append(tr.ages, age)
}

// age returns the number of the present age.
func (tr *truth) age() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.ages) - 1
}

// allows reports whether a question about the name that was put in the age may
// have been answered so by now.
func (tr *truth) allows(put int, name, told string) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.ContainsFunc(tr.ages[put:], func(age map[string][]string) bool {
		return slices.ContainsFunc(age[name], func(want string) bool { return says(told, want) })
	})
}

// unknown is what is told by LMP of a name that nobody knows.
const unknown = "UNKNOWN_SERVICE unknown service"

// says reports whether a checker was told what is wanted, in LMP's words or in
// gRPC's, which has no causes.
func says(told, want string) bool {
	return told == want || strings.HasPrefix(want, told+" ") || told == "SERVICE_UNKNOWN" && want == unknown
}

// doubter asks for one name after the other, without pause, and keeps what it
// was told that the truth does not allow.
type checker struct {
	protocol string
	answers  int
	slowest  time.Duration
	wrong    []string
}

// run asks until stop is closed.
func (d *checker) run(e *env, ask checkFunc, names []string, tr *truth, stop <-chan struct{}) {
	for {
		for _, name := range names {
			select {
			case <-stop:
				return
			default:
			}
			age, put := tr.age(), time.Now()
			told := ask(e, name)
			d.answers++
			d.slowest = max(d.slowest, time.Since(put))
			if !tr.allows(age, name, told) {
				d.wrong = append(d.wrong, fmt.Sprintf("%q is %s", name, told))
			}
		}
	}
}

// doubters is several doubters of every protocol at work.
type checkers struct {
	t      *testing.T
	each   []*checker
	asking sync.WaitGroup
	stop   chan struct{}
}

// doubt has three doubters by LMP over UDP, two over TCP and three by gRPC ask
// for the names.
func startCheckers(e *env, names []string, tr *truth) *checkers {
	c := &checkers{t: e.t, stop: make(chan struct{})}
	for i, protocol := range []string{"udp", "tcp", "grpc", "udp", "tcp", "grpc", "udp", "grpc"} {
		ask := checkGRPC(e.t, e)
		if protocol != "grpc" {
			ask = checkLMP(protocol, 0)
		}
		d := &checker{protocol: protocol}
		c.each = append(c.each, d)
		first := i * len(names) / 8 // each begins elsewhere
		c.asking.Go(func() { d.run(e, ask, slices.Concat(names[first:], names[:first]), tr, c.stop) })
	}
	return c
}

// end stops the doubters, and holds that each had answers, all of them true, and
// where times are held so many, and none later than the bound.
func (c *checkers) end(least int, bound time.Duration) {
	c.t.Helper()
	close(c.stop)
	c.asking.Wait()
	for _, d := range c.each {
		if n := len(d.wrong); n > 0 {
			c.t.Errorf("by %s %d of %d answers were wrong; the first: %q", d.protocol, n, d.answers, d.wrong[:min(n, 5)])
		}
		assertWithin(c.t, d.slowest, bound, "by %s an answer", d.protocol)
		if d.answers == 0 || strictTimes && d.answers < least {
			c.t.Errorf("by %s there were only %d answers, want %d", d.protocol, d.answers, least)
		}
		c.t.Logf("by %-4s %d answers, the slowest after %v", d.protocol, d.answers, d.slowest.Round(time.Millisecond))
	}
}
