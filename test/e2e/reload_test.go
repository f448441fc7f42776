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
	// reloads is how often the configuration is read again; every fifth time
	// the file is wrong.
	reloads = 60
	// reloadEvery is how long there is between two of them, at least.
	reloadEvery = 80 * time.Millisecond
	// patient is how long an answer, or a new policy's effect, may take.
	reloadBound = time.Second
)

// The services of the programs that the test has itself, beside epgd's, by
// what is told of them.
var (
	steady  = numbered("steady", 9)  // serve, whatever their policy
	drained = numbered("drained", 2) // want no new work, whatever their policy
	wedged  = numbered("wedged", 2)  // hang, whatever their policy
	limited = numbered("limited", 3) // fail while their policy has a lower limit
	paired  = numbered("paired", 3)  // are too few while their policy wants two
)

func numbered(name string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(name, "-", i+1))
	}
	return names
}

// policies is a configuration: what its file says, and what is to be told under
// it, by the name asked for.
type policies struct {
	file string
	told map[string]string
}

// numberedPolicies returns the configuration of that number, which is another
// one than those before and after it.
func numberedPolicies(n int) *policies {
	p := &policies{"services:\n", make(map[string]string)}
	p.add(steady, n, "SERVING none", "", "recover_after: 1h", "stale_after: 10s, max_age: 100ms", "fall_after: 1h, instances: any")
	p.add([]string{"epg"}, n, "SERVING none", "", "max_age: 50ms", "landmarks: {main loop: {impact: readiness}}")
	p.add(drained, n, "NOT_SERVING draining", "", "recover_after: 1h", "fall_after: 1h, instances: any")
	p.add(wedged, n, "NOT_SERVING stalled", "", "fall_after: 1h", "landmarks: {main loop: {within: 300ms}}")
	p.told["steady-1-liveness"], p.told["drained-1-liveness"] = "SERVING none", "SERVING none"
	p.told["nobody"] = unknown

	switch n % 2 {
	case 0:
		p.add(limited, n, "SERVING none", "")
		p.told["absent"], p.told[""] = unknown, "NOT_SERVING stalled"
	case 1:
		p.add(limited, n, "NOT_SERVING failed", "landmarks: {queue: {fail_at: 12}}")
		p.add([]string{"absent"}, n, "NOT_SERVING unreported", "recover_after: 1s") // expected, and does not come
		p.told[""] = "NOT_SERVING unreported"
	}
	switch n % 3 {
	case 0, 1:
		p.add(paired, n, "SERVING none", "instances: all", "instances: any")
	case 2:
		p.add(paired, n, "NOT_SERVING starting", "instances: at_least 2")
	}
	return p
}

// add gives the services the nth of the policies, in turns, "" being none,
// under which all of them are told so.
func (p *policies) add(services []string, n int, told string, policies ...string) {
	policy := policies[n%len(policies)]
	for _, name := range services {
		p.told[name] = told
		if policy != "" {
			p.file += fmt.Sprintf("  %s: {%s}\n", name, policy)
		}
	}
}

// wrongFiles are files that change nothing; "" is for no file at all.
var wrongFiles = []string{
	"services:\n  steady-1: {instances: none}\n",
	"services:\n  steady-1: {recover_afer: 1s}\n",
	"services:\n  drained-1: {}\n  drained-1: {}\n",
	"services: [",
	"",
}

// tenant is a program in the test's own process: a main loop, a queue with 15
// in it that may have 20, and an agent.
type testProgram struct {
	agent *agent.Agent
	hang  func() // has the main loop hang for good
}

// tenant starts a program of the service.
func (e *env) testProgram(service string, within time.Duration) *testProgram {
	e.t.Helper()
	marks := landmark.NewSet()
	loop := marks.Loop("main loop", within)
	marks.Level("queue", landmark.Above(10, 20), landmark.WithImpact(landmark.Readiness)).Set(15)
	// What a policy says of landmarks counts from the next report on: this one
	// has them made every 25 ms, and bears on nothing.
	marks.Alive("haste", 100*time.Millisecond, landmark.WithImpact(landmark.Informational))
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

// settle starts the programs and waits until they are what they are to be.
func (e *env) settle(p *policies) {
	e.t.Helper()
	e.epg("2s")
	for _, service := range slices.Concat(steady, limited, paired) {
		e.testProgram(service, 2*time.Second)
	}
	for _, service := range drained {
		e.testProgram(service, 2*time.Second).agent.Drain()
	}
	for _, service := range wedged {
		hanging := e.testProgram(service, 500*time.Millisecond)
		e.await(checkUDP, service, "SERVING none")
		hanging.hang()
	}
	for name, told := range p.told {
		e.await(checkUDP, name, told)
	}
}

// What landmarkd logs of a reload.
const (
	readAgain = "the configuration was read again"
	isWrong   = "the old one stays"
)

// reloader has a landmarkd read its configuration again.
type reloader struct {
	e       *env
	file    string
	present *policies
	truth   truth
	right   int
	wrong   int
	slowest time.Duration  // until a policy was in effect
	changes map[string]int // of status, by name
}

// reload has the next configuration read and waits until it is in effect.
func (r *reloader) reload() {
	old := r.present
	r.right++
	r.present = numberedPolicies(r.right)
	r.truth.turn(old.told, r.present.told)
	write(r.e.t, r.file, r.present.file)
	put := r.e.sidecar.signal(syscall.SIGHUP)
	r.e.sidecar.awaitCount(readAgain, r.right)
	for name, told := range r.present.told {
		r.e.await(checkUDP, name, told)
		if statusOf(told) != statusOf(old.told[name]) {
			r.changes[name]++
		}
	}
	r.slowest = max(r.slowest, time.Since(put))
	r.truth.turn(r.present.told)
}

// refuse has a file read that is wrong, or is not there.
func (r *reloader) refuse() {
	if content := wrongFiles[r.wrong%len(wrongFiles)]; content != "" {
		write(r.e.t, r.file, content)
	} else if err := os.Remove(r.file); err != nil {
		r.e.t.Fatal(err)
	}
	r.wrong++
	r.e.sidecar.signal(syscall.SIGHUP)
	r.e.sidecar.awaitCount(isWrong, r.wrong)
}

// count returns how many lines with the text the process has written.
func (p *process) count(text string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// awaitCount waits until the process has written so many lines with the text.
func (p *process) awaitCount(text string, n int) {
	p.t.Helper()
	for timeout := time.After(testTimeout); p.count(text) < n; {
		select {
		case <-p.more:
		case <-timeout:
			p.t.Fatalf("%s wrote %q %d times in %v, want %d", p.cmd.Path, text, p.count(text), testTimeout, n)
		}
	}
}

// While landmarkd reads its configuration again and again, no session is lost,
// each question is answered with the truth, a policy is soon in effect, and a
// file that is wrong changes nothing.
func TestReloadUnderLoad(t *testing.T) {
	r := &reloader{
		file:    filepath.Join(t.TempDir(), "landmarkd.yaml"),
		present: numberedPolicies(0),
		changes: make(map[string]int),
	}
	write(t, r.file, r.present.file)
	r.e = newEnv(t, "-config", r.file)
	r.e.settle(r.present)
	r.truth.turn(r.present.told)
	names := slices.Collect(maps.Keys(r.present.told))
	asking := startCheckers(r.e, names, &r.truth)
	watches := make(map[string]*healthWatch)
	for _, name := range []string{"", "epg", "steady-1", "drained-1", "wedged-1", "limited-1", "paired-1"} {
		watches[name] = startHealthWatch(r.e, name)
	}

	begun := time.Now()
	for i := 1; i <= reloads; i++ {
		next := time.After(reloadEvery)
		if i%5 == 0 {
			r.refuse()
		} else {
			r.reload()
		}
		<-next
	}
	took := time.Since(begun)

	asking.end(reloads*len(names)/8, reloadBound)
	for name, w := range watches {
		w.await(t, statusOf(r.present.told[name]))
		w.end()
		// Of changes in quick succession a Watch tells the last.
		told, were := strings.Count(w.told.String(), ","), r.changes[name]
		if told > were || strictTimes && told < were/2 {
			t.Errorf("the Watch of %q told %d changes of %d: %v", name, told, were, &w.told)
		}
		t.Logf("the Watch of %q told %d changes of %d", name, told, were)
	}
	programs := len(slices.Concat(steady, drained, wedged, limited, paired)) + 1
	for text, want := range map[string]int{
		readAgain: r.right, isWrong: r.wrong,
		"program reports": programs, "program lost": 0, "program said goodbye": 0, "session ended": 0,
	} {
		if n := r.e.sidecar.count(text); n != want {
			t.Errorf("landmarkd wrote %q %d times, want %d", text, n, want)
		}
	}
	assertWithin(t, r.slowest, reloadBound, "a policy until it was in effect")
	t.Logf("%d reloads in %v, in effect after %v at most", reloads, took.Round(time.Millisecond), r.slowest.Round(time.Millisecond))
}
