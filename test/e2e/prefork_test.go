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

// afterHang matches the weight just after a hang: the lag of the loop's late
// answer lowers it, until the loop has answered in time.
const afterHang = `(SERVING \d\d, )?`

// workerPause is the time after its start in which a worker has certainly
// reported, and its main loop answered.
const workerPause = 500 * time.Millisecond

// prefork is the program of that name, with four workers.
type prefork struct {
	*process
	e       *env
	address string
}

// newPrefork starts a landmarkd with the policy for instances, and a server with
// four workers that report to it.
func newPrefork(t *testing.T, instances string, flags ...string) *prefork {
	t.Helper()
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, file, fmt.Sprintf("services:\n  prefork:\n    instances: %s\n", instances))
	e := newEnv(t, "-config", file)
	p := &prefork{e: e, address: freeAddress(t)}
	p.process = start(t, program("prefork"), append(flags, "-listen", p.address, "-agent-socket", e.socket)...)
	for slot := 1; slot <= 4; slot++ {
		p.awaitWorker(slot, 0)
	}
	time.Sleep(workerPause)
	e.await(checkWeight, "prefork", "SERVING 100")
	return p
}

var servingWorker = regexp.MustCompile(`worker serves" worker=(\d+) pid=(\d+)`)

// worker returns the PID of the latest worker in the slot, or 0 if there was none.
func (p *prefork) worker(slot int) (pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if found := servingWorker.FindStringSubmatch(line); found != nil && found[1] == strconv.Itoa(slot) {
			pid, _ = strconv.Atoi(found[2])
		}
	}
	return pid
}

// awaitWorker waits until another worker than the old one is in the slot.
func (p *prefork) awaitWorker(slot, old int) {
	p.t.Helper()
	for timeout := time.After(testTimeout); p.worker(slot) == old; {
		select {
		case <-p.more:
		case <-timeout:
			p.t.Fatalf("after %v: got the old worker in slot %d, want a new one", testTimeout, slot)
		}
	}
}

// signalWorker sends the signal to the worker in the slot.
func (p *prefork) signalWorker(slot int, s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(p.worker(slot), s); err != nil {
		p.t.Fatalf("%v to worker %d: %v", s, slot, err)
	}
}

// recycle ends the worker in the slot gracefully, and waits for the next one.
func (p *prefork) recycle(slot int) {
	p.t.Helper()
	old := p.worker(slot)
	p.signalWorker(slot, syscall.SIGTERM)
	p.awaitWorker(slot, old)
	time.Sleep(workerPause)
}

// kill stops the parent and kills the workers in the slots. replace lets the
// parent start new ones.
func (p *prefork) kill(slots ...int) (replace func()) {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	old := make(map[int]int)
	for _, slot := range slots {
		old[slot] = p.worker(slot)
		p.signalWorker(slot, syscall.SIGKILL)
	}
	return func() {
		p.signal(syscall.SIGCONT)
		for slot, pid := range old {
			p.awaitWorker(slot, pid)
		}
		time.Sleep(workerPause)
	}
}

// With instances: all, workers that are recycled change nothing. A killed worker
// is lost until another has taken its slot, one that hangs is stalled until it
// goes on, and the reason names it.
func TestPreforkAll(t *testing.T) {
	parallel(t)
	for _, named := range []struct {
		by    string
		flags []string
		name  func(p *prefork, slot int) string // a regular expression
	}{
		{"slot", nil, func(p *prefork, slot int) string { return fmt.Sprint("worker-", slot) }},
		{"number", []string{"-by-number"}, func(p *prefork, slot int) string { return fmt.Sprintf("%d-[A-Z2-7]+", p.worker(slot)) }},
	} {
		t.Run("named by "+named.by, func(t *testing.T) {
			p := newPrefork(t, "all", named.flags...)
			seen, clients := observe(p.e, "prefork"), p.clients()
			for slot := 1; slot <= 4; slot++ {
				p.recycle(slot)
			}
			clients.end()
			seen.end("SERVING 100", "SERVING")

			seen = observe(p.e, "prefork")
			name := named.name(p, 2)
			replace := p.kill(2)
			seen.await("NOT_SERVING lost")
			wantReason(t, p.e, "^instance "+name+": the program's connection ended")
			time.Sleep(workerPause) // the slot stays empty
			replace()
			seen.end("SERVING 100, NOT_SERVING lost, NOT_SERVING starting, SERVING 100", "SERVING, NOT_SERVING, SERVING")

			seen = observe(p.e, "prefork")
			p.signalWorker(3, syscall.SIGUSR1)
			seen.await("NOT_SERVING stalled")
			wantReason(t, p.e, "^instance "+named.name(p, 3)+": main loop last answered")
			p.signalWorker(3, syscall.SIGUSR2)
			seen.await("SERVING 100")
			seen.end("SERVING 100, NOT_SERVING stalled, "+afterHang+"SERVING 100", "SERVING, NOT_SERVING, SERVING")
		})
	}
}

// wantReason reports an error unless the reason of the service prefork matches
// the pattern.
func wantReason(t *testing.T, e *env, pattern string) {
	t.Helper()
	if got := describe(e, "prefork"); !regexp.MustCompile(pattern).MatchString(got) {
		t.Errorf("reason: got %q, want %q", got, pattern)
	}
}

// With instances: at_least 3 of four, a failure of one worker changes only the
// weight.
func TestPreforkAtLeast(t *testing.T) {
	parallel(t)
	p := newPrefork(t, "at_least 3")
	seen, clients := observe(p.e, "prefork"), p.clients()
	p.recycle(1)
	p.recycle(4)
	clients.end()
	seen.end("SERVING 100", "SERVING")

	seen = observe(p.e, "prefork")
	replace := p.kill(2)
	seen.await("SERVING 75")
	time.Sleep(workerPause) // the slot stays empty
	replace()
	seen.await("SERVING 100")
	p.signalWorker(3, syscall.SIGUSR1)
	seen.await("SERVING 75")
	p.signalWorker(3, syscall.SIGUSR2)
	seen.await("SERVING 100")
	seen.end("SERVING 100, SERVING 75, SERVING 100, SERVING 75, "+afterHang+"SERVING 100", "SERVING")

	seen = observe(p.e, "prefork")
	replace = p.kill(1, 2)
	seen.await("NOT_SERVING lost")
	replace()
	seen.end("SERVING 100, (SERVING 75, )?NOT_SERVING lost, (NOT_SERVING starting, )?(SERVING 75, )?SERVING 100", "SERVING, NOT_SERVING, SERVING")
}

// With instances: any, the service serves while one worker does.
func TestPreforkAny(t *testing.T) {
	parallel(t)
	p := newPrefork(t, "any")
	seen, clients := observe(p.e, "prefork"), p.clients()
	p.recycle(1)
	p.signalWorker(2, syscall.SIGUSR1)
	seen.await("SERVING 75")
	p.signalWorker(2, syscall.SIGUSR2)
	seen.await("SERVING 100")
	clients.end()
	seen.end("SERVING 100, SERVING 75, "+afterHang+"SERVING 100", "SERVING")

	seen = observe(p.e, "prefork")
	replace := p.kill(1, 2, 3)
	seen.await("SERVING 25")
	replace()
	seen.end("SERVING 100, (SERVING 75, )?(SERVING 50, )?SERVING 25, (SERVING 50, )?(SERVING 75, )?SERVING 100", "SERVING")

	seen = observe(p.e, "prefork")
	p.kill(1, 2, 3, 4)
	seen.await("NOT_SERVING lost")
	seen.end("SERVING 100, (SERVING [257][05], )*NOT_SERVING lost", "SERVING, NOT_SERVING")
}

// clients connect to the server one after the other, every 2 ms.
type clients struct {
	t       *testing.T
	stop    chan struct{}
	running sync.WaitGroup
	served  map[string]int // by worker
	failed  []error
}

func (p *prefork) clients() *clients {
	c := &clients{t: p.t, stop: make(chan struct{}), served: make(map[string]int)}
	c.running.Go(func() {
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

// end stops the clients, and asserts that all were served.
func (c *clients) end() {
	c.t.Helper()
	close(c.stop)
	c.running.Wait()
	if len(c.failed) > 0 || len(c.served) == 0 {
		c.t.Errorf("got clients served %v and %d errors, want all served: %v", c.served, len(c.failed), c.failed)
	}
	c.t.Logf("clients served by each worker: %v", c.served)
}

// visit connects to the server as a client and returns the worker's answer.
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
