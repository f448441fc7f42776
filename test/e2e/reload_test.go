//go:build e2e

package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

const (
	// reloads is how often the configuration is read again. Every fifth file is
	// invalid.
	reloads = 60
	// reloadInterval is the least time between two reloads.
	reloadInterval = 80 * time.Millisecond
	// reloadBound is how long an answer, or a new policy until it is in effect,
	// may take.
	reloadBound = time.Second
)

// The services of the programs that run in the test's own process, by their
// verdict.
var (
	steady  = numbered("steady", 9)  // serve under every policy
	drained = numbered("drained", 2) // drain under every policy
	hung    = numbered("hung", 2)    // hang under every policy
	limited = numbered("limited", 3) // fail while their policy has a lower limit
	paired  = numbered("paired", 3)  // have one instance, too few while their policy wants two
)

func numbered(name string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(name, "-", i+1))
	}
	return names
}

// policies is a configuration: the content of its file, and the answers under it
// by name.
type policies struct {
	file    string
	answers map[string]string
}

// numberedPolicies returns the nth configuration, which differs from the ones
// before and after it.
func numberedPolicies(n int) *policies {
	p := &policies{"services:\n", make(map[string]string)}
	p.add(steady, n, "SERVING none", "", "recover_after: 1h", "stale_after: 10s, max_age: 100ms", "fall_after: 1h, instances: any")
	p.add([]string{"epg"}, n, "SERVING none", "", "max_age: 50ms", "landmarks: {main loop: {impact: readiness}}")
	p.add(drained, n, "NOT_SERVING draining", "", "recover_after: 1h", "fall_after: 1h, instances: any")
	p.add(hung, n, "NOT_SERVING stalled", "", "fall_after: 1h", "landmarks: {main loop: {within: 300ms}}")
	p.answers["steady-1-liveness"], p.answers["drained-1-liveness"] = "SERVING none", "SERVING none"
	p.answers["missing"] = unknown

	switch n % 2 {
	case 0:
		p.add(limited, n, "SERVING none", "")
		p.answers["absent"], p.answers[""] = unknown, "NOT_SERVING stalled"
	case 1:
		p.add(limited, n, "NOT_SERVING failed", "landmarks: {queue: {fail_at: 12}}")
		p.add([]string{"absent"}, n, "NOT_SERVING unreported", "recover_after: 1s") // configured, but no program reports it
		p.answers[""] = "NOT_SERVING unreported"
	}
	switch n % 3 {
	case 0, 1:
		p.add(paired, n, "SERVING none", "instances: all", "instances: any")
	case 2:
		p.add(paired, n, "NOT_SERVING starting", "instances: at_least 2")
	}
	return p
}

// add gives the services one of the policies, by turns of n, and records their
// answer under it. The policy "" is none.
func (p *policies) add(services []string, n int, answer string, policies ...string) {
	policy := policies[n%len(policies)]
	for _, name := range services {
		p.answers[name] = answer
		if policy != "" {
			p.file += fmt.Sprintf("  %s: {%s}\n", name, policy)
		}
	}
}

// invalidFiles are files that change nothing. "" stands for no file.
var invalidFiles = []string{
	"services:\n  steady-1: {instances: none}\n",
	"services:\n  steady-1: {recover_afer: 1s}\n",
	"services:\n  drained-1: {}\n  drained-1: {}\n",
	"services: [",
	"",
}

// testProgram is a program in the test's own process: a main loop, a queue that
// holds 15 of at most 20, and an agent.
type testProgram struct {
	agent *agent.Agent
	hang  func() // makes the main loop hang for good
}

// testProgram starts a program of the service.
func (e *env) testProgram(service string, within time.Duration) *testProgram {
	e.t.Helper()
	marks := landmark.NewSet()
	loop := marks.Loop("main loop", within)
	marks.Level("queue", landmark.Above(10, 20), landmark.Readiness).Set(15)
	// A policy's settings for landmarks count from the next report on. This
	// landmark makes the agent report every 25 ms, and affects no verdict.
	marks.Alive("haste", 100*time.Millisecond, landmark.Informational)
	a, err := agent.Start(agent.Config{Service: service, Landmarks: marks, Socket: e.socket})
	if err != nil {
		e.t.Fatal(err)
	}
	hung := make(chan struct{})
	go func() {
		for {
			select {
			case answer := <-loop.C():
				answer()
			case <-hung:
				return
			}
		}
	}()
	p := &testProgram{a, sync.OnceFunc(func() { close(hung) })}
	e.t.Cleanup(func() { p.hang(); a.Close() })
	return p
}

// startPrograms starts the programs and waits until each name has its answer.
func (e *env) startPrograms(p *policies) {
	e.t.Helper()
	e.epg("2s")
	for _, service := range slices.Concat(steady, limited, paired) {
		e.testProgram(service, 2*time.Second)
	}
	for _, service := range drained {
		e.testProgram(service, 2*time.Second).agent.Drain()
	}
	for _, service := range hung {
		hanging := e.testProgram(service, 500*time.Millisecond)
		e.await(checkUDP, service, "SERVING none")
		hanging.hang()
	}
	for name, answer := range p.answers {
		e.await(checkUDP, name, answer)
	}
}

// What landmarkd logs of a reload.
const (
	reloadLogged  = "configuration loaded"
	invalidLogged = "the old one stays"
)

// reloader makes a landmarkd read its configuration again.
type reloader struct {
	e       *env
	file    string
	current *policies
	expectations
	valid   int            // reloads of a valid file
	invalid int            // reloads of an invalid one
	slowest time.Duration  // until a policy was in effect
	changes map[string]int // of status, by name
}

// reload makes landmarkd read the next configuration, and waits until it is in
// effect.
func (r *reloader) reload() {
	old := r.current
	r.valid++
	r.current = numberedPolicies(r.valid)
	r.next(old.answers, r.current.answers)
	write(r.e.t, r.file, r.current.file)
	begun := r.e.sidecar.signal(syscall.SIGHUP)
	r.e.sidecar.awaitCount(reloadLogged, 1+r.valid) // it is logged at the start, too
	for name, answer := range r.current.answers {
		r.e.await(checkUDP, name, answer)
		if statusOf(answer) != statusOf(old.answers[name]) {
			r.changes[name]++
		}
	}
	r.slowest = max(r.slowest, time.Since(begun))
	r.next(r.current.answers)
}

// reloadInvalid makes landmarkd read a file that is invalid or missing.
func (r *reloader) reloadInvalid() {
	if content := invalidFiles[r.invalid%len(invalidFiles)]; content != "" {
		write(r.e.t, r.file, content)
	} else if err := os.Remove(r.file); err != nil {
		r.e.t.Fatal(err)
	}
	r.invalid++
	r.e.sidecar.signal(syscall.SIGHUP)
	r.e.sidecar.awaitCount(invalidLogged, r.invalid)
}

// While landmarkd reads its configuration again and again, it loses no session
// and every answer is correct. A policy is soon in effect, and an invalid file
// changes nothing.
func TestReloadUnderLoad(t *testing.T) {
	r := &reloader{
		file:    filepath.Join(t.TempDir(), "landmarkd.yaml"),
		current: numberedPolicies(0),
		changes: make(map[string]int),
	}
	write(t, r.file, r.current.file)
	r.e = newEnv(t, "-config", r.file)
	r.e.startPrograms(r.current)
	r.next(r.current.answers)
	names := slices.Collect(maps.Keys(r.current.answers))
	checks := startCheckers(r.e, names, &r.expectations)
	watches := make(map[string]*healthWatch)
	for _, name := range []string{"", "epg", "steady-1", "drained-1", "hung-1", "limited-1", "paired-1"} {
		watches[name] = startHealthWatch(r.e, name)
	}

	begun := time.Now()
	for i := 1; i <= reloads; i++ {
		next := time.After(reloadInterval)
		if i%5 == 0 {
			r.reloadInvalid()
		} else {
			r.reload()
		}
		<-next
	}
	took := time.Since(begun)

	checks.end(reloads*len(names)/8, reloadBound)
	for name, w := range watches {
		w.await(t, statusOf(r.current.answers[name]))
		w.end()
		// Of several changes in quick succession a Watch sends only the last.
		got, most := strings.Count(w.statuses.String(), ","), r.changes[name]
		if got > most || strictTimes && got < most/2 {
			t.Errorf("the Watch of %q got %d changes, want %d to %d: %v", name, got, most/2, most, &w.statuses)
		}
		t.Logf("the Watch of %q got %d changes of %d", name, got, most)
	}
	programs := len(slices.Concat(steady, drained, hung, limited, paired)) + 1
	for text, want := range map[string]int{
		reloadLogged: 1 + r.valid, invalidLogged: r.invalid,
		"program reports": programs, "program lost": 0, "program said goodbye": 0, "session ended": 0,
	} {
		if got := r.e.sidecar.count(text); got != want {
			t.Errorf("landmarkd logged %q: got %d times, want %d", text, got, want)
		}
	}
	assertWithin(t, r.slowest, reloadBound, "a reload until it was in effect")
	t.Logf("%d reloads in %v, in effect after %v at most", reloads, took.Round(time.Millisecond), r.slowest.Round(time.Millisecond))
}
