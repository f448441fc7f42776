package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/test/bfdpeer"
)

const (
	// timeout is how long anything may take that has no bound, on the slowest
	// machine.
	timeout = 20 * time.Second
	// changeTimeout is how long a checker may get the old answer after a change.
	changeTimeout = 5 * time.Second
	// memoryBound is how much memory landmarkd may use, in bytes.
	memoryBound = 128 << 20
)

// scene is what one attack runs on: a landmarkd with honest programs and checkers,
// and attackers.
type scene struct {
	programs string // the directory of landmarkd and landmark-watch
	dir      string // landmarkd's runtime directory
	long     bool
	sidecar  *sidecar
	oracle   *oracle
	checkers *checkers
	honest   []*program
	others   []*process      // attackers and directors
	after    func()          // called after all processes have ended, if not nil
	broke    []string        // the bounds that are broken, except for the verdicts
	users    map[uint32]bool // the users that attack
	skipped  string          // why this machine cannot run the attack
	peers    []*bfdpeer.Peer
	notes    []string // what was measured
}

func newScene(programs string, long bool) (*scene, error) {
	dir, err := os.MkdirTemp("", "landmark-attack")
	if err != nil {
		return nil, err
	}
	// Another user must be able to reach the sockets.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	return &scene{programs: programs, dir: dir, long: long, oracle: newOracle(), checkers: newCheckers(), users: make(map[uint32]bool)}, nil
}

// fail ends the attack, because something that it needs did not happen.
func (s *scene) fail(format string, args ...any) {
	s.broke = append(s.broke, fmt.Sprintf(format, args...))
	runtime.Goexit()
}

// must ends the attack if err is not nil.
func (s *scene) must(err error) {
	if err != nil {
		s.fail("%v", err)
	}
}

// start creates a landmarkd with further flags, and starts it.
func (s *scene) start(flags ...string) {
	s.prepare(flags...)
	s.boot()
}

// boot starts landmarkd, which then waits a second for agents.
func (s *scene) boot() { s.outage(func() { s.must(s.sidecar.start()) }) }

// prepare creates a landmarkd and does not start it.
func (s *scene) prepare(flags ...string) {
	var err error
	s.sidecar, err = newSidecar(s.programs, s.dir, flags...)
	s.must(err)
}

// config writes a configuration, and returns the flag for it.
func (s *scene) config(yaml string) []string {
	path := filepath.Join(s.dir, "landmarkd.yaml")
	s.must(os.WriteFile(path, []byte(yaml), 0o644))
	return []string{"-config", path}
}

// run starts an honest program.
func (s *scene) run(service, instance string, flags ...string) *program {
	p, err := newProgram(s.sidecar.agents(), service, instance, flags...)
	s.must(err)
	s.honest = append(s.honest, p)
	return p
}

// awaitReported waits until each of the programs has reported to landmarkd.
func (s *scene) awaitReported(programs ...*program) {
	for _, p := range programs {
		if !await(timeout, func() bool { return p.wrote(reported) }) {
			s.fail("a program of %s did not report within %v", p.service, timeout)
		}
	}
}

// startPair starts landmarkd, a healthy program and a hung one, and the checkers.
func (s *scene) startPair(flags ...string) (well, hung *program) {
	s.start(flags...)
	return s.pair()
}

// pair starts the two programs and their checkers.
func (s *scene) pair() (well, hung *program) {
	well, hung = s.run("well", "1"), s.run("hung", "1")
	s.check("well", "hung")
	s.change("well", healthy, nil)
	s.change("hung", healthy, nil)
	s.change("hung", unhealthy, func() { hung.signal(syscall.SIGUSR1) })
	return well, hung
}

// check starts the checkers of the services.
func (s *scene) check(services ...string) {
	for _, service := range services {
		s.checkers.start(s.sidecar, service)
	}
}

// change calls act, which changes the state of the service, and waits until every
// checker gets the new answer. evaluate counts the old answer as false after
// changeTimeout.
func (s *scene) change(service string, t state, act func()) {
	s.oracle.set(service, unknownState, false)
	if act != nil {
		act()
	}
	s.oracle.set(service, t, false)
	s.awaitCheckers(service, t)
}

// awaitCheckers waits until every checker gets the answer for the state.
func (s *scene) awaitCheckers(service string, t state) {
	want := notServing
	if t == healthy {
		want = serving
	}
	now := time.Now()
	await(changeTimeout+time.Second, func() bool { return s.checkers.agree(service, want, now) })
}

// setStrict records the state of the service. Every answer must be right at once.
func (s *scene) setStrict(service string, t state) { s.oracle.set(service, t, true) }

// outage calls act, which stops landmarkd, and records the time in which landmarkd
// need not answer. That includes the second after it, in which landmarkd waits for
// agents.
func (s *scene) outage(act func()) {
	from := time.Now()
	act()
	s.oracle.recordOutage(span{from, time.Now().Add(1200 * time.Millisecond)})
}

// restart kills landmarkd and starts it again.
func (s *scene) restart() { s.outage(func() { s.must(s.sidecar.restart()) }) }

// director starts a landmark-watch on the services, and adds its track files to
// the checkers. If stderr is nil, its standard error is read.
func (s *scene) director(stderr *os.File, services ...string) *process {
	dir, err := os.MkdirTemp(s.dir, "tracks")
	s.must(err)
	p := s.landmarkWatch(dir, stderr, services...)
	for _, service := range services {
		s.checkers.readTrackFile(dir, service)
	}
	return p
}

// landmarkWatch starts a landmark-watch that writes the files of the services in
// dir.
func (s *scene) landmarkWatch(dir string, stderr *os.File, services ...string) *process {
	args := []string{"-dir", dir}
	for _, service := range services {
		args = append(args, "-target", service+"="+s.sidecar.monitor+"/"+service)
	}
	cmd := exec.Command(filepath.Join(s.programs, "landmark-watch"), args...)
	if stderr != nil {
		cmd.Stderr = stderr
	}
	p, err := start(cmd, stderr == nil)
	s.must(err)
	s.others = append(s.others, p)
	return p
}

// operator runs landmark, and reports whether it succeeded in time.
func (s *scene) operator(args ...string) bool {
	cmd := exec.Command(filepath.Join(s.programs, "landmark"), args...)
	p, err := start(cmd, true)
	s.must(err)
	s.others = append(s.others, p)
	select {
	case <-p.exited:
		return p.cmd.ProcessState.Success()
	case <-time.After(timeout):
		p.kill()
		return false
	}
}

// runFor lets the attack go on for a time, which depends on the form.
func (s *scene) runFor(short, long time.Duration) {
	if s.long {
		short = long
	}
	for deadline := time.Now().Add(short); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if !s.sidecar.alive() {
			s.fail("landmarkd died: %v", s.sidecar.cmd.ProcessState)
		}
		// Stop before landmarkd uses up the machine's memory.
		if s.sidecar.measure(); s.sidecar.peak > 4*memoryBound {
			s.fail("landmarkd used %d MB, want at most %d", s.sidecar.peak>>20, memoryBound>>20)
		}
	}
}

// end stops all processes, and returns the answers to the checkers.
func (s *scene) end() []sample {
	samples := s.checkers.end()
	for _, p := range s.others {
		p.kill()
	}
	for _, p := range s.honest {
		p.signal(syscall.SIGCONT)
		p.kill()
		for _, gap := range p.lateness() {
			s.oracle.recordLate(p.service, gap)
		}
	}
	if s.sidecar != nil {
		if s.sidecar.process != nil && !s.sidecar.alive() && !slices.ContainsFunc(s.broke, func(why string) bool { return strings.HasPrefix(why, "landmarkd died") }) {
			s.broke = append(s.broke, fmt.Sprintf("landmarkd died: %v", s.sidecar.cmd.ProcessState))
		}
		s.sidecar.end()
	}
	for _, p := range s.peers {
		p.Close()
	}
	if s.after != nil {
		s.after()
	}
	os.RemoveAll(s.dir)
	return samples
}
