//go:build e2e

package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// late matches the weight that a loop has just after it was freed: the lag of
// its late answer lowers it, until it has answered in time.
const late = `(SERVING \d\d, )?`

// settled is how long after it serves a worker counts for certain: it has
// reported, and its main loop has answered.
const settled = 500 * time.Millisecond

// prefork is the program of that name, with four workers.
type prefork struct {
	*process
	e       *env
	address string
}

// newPrefork starts a landmarkd that counts processes so, and a server of four
// that report to it.
func newPrefork(t *testing.T, instances string, flags ...string) *prefork {
	t.Helper()
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, file, fmt.Sprintf("services:\n  prefork:\n    instances: %s\n", instances))
	e := newEnv(t, "-config", file)
	p := &prefork{e: e, address: freeAddress(t)}
	p.process = start(t, program("prefork"), append(flags, "-listen", p.address, "-agent-socket", e.socket)...)
	for place := 1; place <= 4; place++ {
		p.awaitWorker(place, 0)
	}
	time.Sleep(settled)
	e.await(checkWeight, "prefork", "SERVING 100")
	return p
}

var servingWorker = regexp.MustCompile(`worker serves" place=(\d+) pid=(\d+)`)

// worker returns the process number of the worker in the place, 0 if there was
// none yet.
func (p *prefork) worker(place int) (pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if found := servingWorker.FindStringSubmatch(line); found != nil && found[1] == strconv.Itoa(place) {
			pid, _ = strconv.Atoi(found[2])
		}
	}
	return pid
}

// awaitWorker waits until another worker than the old one is in the place.
func (p *prefork) awaitWorker(place, old int) {
	p.t.Helper()
	for timeout := time.After(testTimeout); p.worker(place) == old; {
		select {
		case <-p.more:
		case <-timeout:
			p.t.Fatalf("no new worker came to place %d in %v", place, testTimeout)
		}
	}
}

// tell sends the signal to the worker in the place.
func (p *prefork) tell(place int, s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(p.worker(place), s); err != nil {
		p.t.Fatalf("%v to worker %d: %v", s, place, err)
	}
}

// recycle ends the worker in the place gracefully, and waits for the next.
func (p *prefork) recycle(place int) {
	p.t.Helper()
	old := p.worker(place)
	p.tell(place, syscall.SIGTERM)
	p.awaitWorker(place, old)
	time.Sleep(settled)
}

// kill kills the workers in the places. Until replaced is called nobody takes
// their places, for the parent is stopped.
func (p *prefork) kill(places ...int) (replaced func()) {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	old := make(map[int]int)
	for _, place := range places {
		old[place] = p.worker(place)
		p.tell(place, syscall.SIGKILL)
	}
	return func() {
		p.signal(syscall.SIGCONT)
		for place, pid := range old {
			p.awaitWorker(place, pid)
		}
		time.Sleep(settled)
	}
}

// Under all, nothing is told while workers come and go on purpose. One that is
// killed is lost until another has taken its place, one that hangs is stalled
// until it is freed, and the reason tells which one it is.
func TestPreforkAll(t *testing.T) {
	parallel(t)
	for _, named := range []struct {
		by    string
		flags []string
		name  func(p *prefork, place int) string // a regular expression
	}{
		{"place", nil, func(p *prefork, place int) string { return fmt.Sprint("worker-", place) }},
		{"number", []string{"-by-number"}, func(p *prefork, place int) string { return fmt.Sprintf("%d-[A-Z2-7]+", p.worker(place)) }},
	} {
		t.Run("named by "+named.by, func(t *testing.T) {
			p := newPrefork(t, "all", named.flags...)
			asking, clients := observe(p.e, "prefork"), p.clients()
			for place := 1; place <= 4; place++ {
				p.recycle(place)
			}
			clients.end()
			asking.end("SERVING 100", "SERVING")

			asking = observe(p.e, "prefork")
			name := named.name(p, 2)
			replaced := p.kill(2)
			asking.await("NOT_SERVING lost")
			if why := describe(p.e, "prefork"); !regexp.MustCompile("^instance " + name + ": the program's connection ended").MatchString(why) {
				t.Errorf("the reason for a worker that was killed is %q", why)
			}
			time.Sleep(settled) // nobody takes its place
			replaced()
			asking.end("SERVING 100, NOT_SERVING lost, NOT_SERVING starting, SERVING 100", "SERVING, NOT_SERVING, SERVING")

			asking = observe(p.e, "prefork")
			p.tell(3, syscall.SIGUSR1)
			asking.await("NOT_SERVING stalled")
			if why := describe(p.e, "prefork"); !regexp.MustCompile("^instance " + named.name(p, 3) + ": main loop last answered").MatchString(why) {
				t.Errorf("the reason for a worker that hangs is %q", why)
			}
			p.tell(3, syscall.SIGUSR2)
			asking.await("SERVING 100")
			asking.end("SERVING 100, NOT_SERVING stalled, "+late+"SERVING 100", "SERVING, NOT_SERVING, SERVING")
		})
	}
}

// Under at_least 3 of four, whatever becomes of one worker is the weight's
// alone.
func TestPreforkAtLeast(t *testing.T) {
	parallel(t)
	p := newPrefork(t, "at_least 3")
	asking, clients := observe(p.e, "prefork"), p.clients()
	p.recycle(1)
	p.recycle(4)
	clients.end()
	asking.end("SERVING 100", "SERVING")

	asking = observe(p.e, "prefork")
	replaced := p.kill(2)
	asking.await("SERVING 75")
	time.Sleep(settled) // nobody takes its place
	replaced()
	asking.await("SERVING 100")
	p.tell(3, syscall.SIGUSR1)
	asking.await("SERVING 75")
	p.tell(3, syscall.SIGUSR2)
	asking.await("SERVING 100")
	asking.end("SERVING 100, SERVING 75, SERVING 100, SERVING 75, "+late+"SERVING 100", "SERVING")

	asking = observe(p.e, "prefork")
	replaced = p.kill(1, 2)
	asking.await("NOT_SERVING lost")
	replaced()
	asking.end("SERVING 100, (SERVING 75, )?NOT_SERVING lost, (NOT_SERVING starting, )?(SERVING 75, )?SERVING 100", "SERVING, NOT_SERVING, SERVING")
}

// Under any, the last worker that is left serves for all.
func TestPreforkAny(t *testing.T) {
	parallel(t)
	p := newPrefork(t, "any")
	asking, clients := observe(p.e, "prefork"), p.clients()
	p.recycle(1)
	p.tell(2, syscall.SIGUSR1)
	asking.await("SERVING 75")
	p.tell(2, syscall.SIGUSR2)
	asking.await("SERVING 100")
	clients.end()
	asking.end("SERVING 100, SERVING 75, "+late+"SERVING 100", "SERVING")

	asking = observe(p.e, "prefork")
	replaced := p.kill(1, 2, 3)
	asking.await("SERVING 25")
	replaced()
	asking.end("SERVING 100, (SERVING 75, )?(SERVING 50, )?SERVING 25, (SERVING 50, )?(SERVING 75, )?SERVING 100", "SERVING")

	asking = observe(p.e, "prefork")
	p.kill(1, 2, 3, 4)
	asking.await("NOT_SERVING lost")
	asking.end("SERVING 100, (SERVING [257][05], )*NOT_SERVING lost", "SERVING, NOT_SERVING")
}

// customers connect every 2 ms, to be served by some worker each time.
type clients struct {
	t      *testing.T
	stop   chan struct{}
	coming sync.WaitGroup
	served map[string]int // by who served them
	failed []error
}

func (p *prefork) clients() *clients {
	c := &clients{t: p.t, stop: make(chan struct{}), served: make(map[string]int)}
	c.coming.Go(func() {
		every := time.NewTicker(checkInterval)
		defer every.Stop()
		for {
			if by, err := visit(p.address); err != nil {
				c.failed = append(c.failed, err)
			} else {
				c.served[by]++
			}
			select {
			case <-every.C:
			case <-c.stop:
				return
			}
		}
	})
	return c
}

// end sends no more customers and holds that all were served.
func (c *clients) end() {
	c.t.Helper()
	close(c.stop)
	c.coming.Wait()
	if len(c.failed) > 0 || len(c.served) == 0 {
		c.t.Errorf("customers were served %v, and %d were not: %v", c.served, len(c.failed), c.failed)
	}
	c.t.Logf("customers served by each worker: %v", c.served)
}

// visit connects to the server as a customer and returns who served it.
func visit(address string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, testTimeout)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testTimeout))
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}
