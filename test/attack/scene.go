package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

const (
	// patience is how long anything may take that is not what an attack holds
	// to a bound, on the slowest machine.
	patience = 20 * time.Second
	// settling is how long a checker may take to be told of a change.
	settling = 5 * time.Second
	// memoryBound is what landmarkd may hold, whatever is sent to it.
	memoryBound = 128 << 20
)

// scene is where one attack is played: a landmarkd with honest programs and
// checkers, and attackers.
type scene struct {
	programs string // where landmarkd and landmark-watch are
	dir      string // landmarkd's runtime directory
	long     bool
	sidecar  *sidecar
	oracle   *oracle
	checkers *checkers
	honest   []*program
	others   []*process      // attackers and directors
	watched  []string        // the services that checkers ask about
	after    func()          // called once all that was started has ended, if not nil
	broke    []string        // the bounds that did not hold, beside the verdicts
	users    map[uint32]bool // that attack
	skipped  string          // why this machine cannot play the attack
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

// fail ends the attack: what it needs did not happen.
func (s *scene) fail(format string, args ...any) {
	s.broke = append(s.broke, fmt.Sprintf(format, args...))
	runtime.Goexit()
}

// must ends the attack at an error.
func (s *scene) must(err error) {
	if err != nil {
		s.fail("%v", err)
	}
}

// start makes a landmarkd with further flags, and starts it.
func (s *scene) start(flags ...string) {
	s.prepare(flags...)
	s.boot()
}

// boot starts landmarkd, which waits a second for agents.
func (s *scene) boot() { s.away(func() { s.must(s.sidecar.start()) }) }

// prepare makes a landmarkd that is not started.
func (s *scene) prepare(flags ...string) {
	var err error
	s.sidecar, err = newSidecar(s.programs, s.dir, flags...)
	s.must(err)
}

// config writes a configuration, and returns the flags for it.
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

// joined waits until landmarkd knows each of the programs to be ready.
func (s *scene) joined(programs ...*program) {
	for _, p := range programs {
		if !await(patience, func() bool { return p.wrote(reported) }) {
			s.fail("a program of %s did not come to report", p.service)
		}
	}
}

// usual starts landmarkd, a healthy program and a wedged one, and the checkers.
func (s *scene) usual(flags ...string) (well, wedged *program) {
	s.start(flags...)
	return s.pair()
}

// pair starts the two programs and the checkers of both.
func (s *scene) pair() (well, wedged *program) {
	well, wedged = s.run("well", "1"), s.run("wedged", "1")
	s.check("well", "wedged")
	s.turn("well", healthy, nil)
	s.turn("wedged", healthy, nil)
	s.turn("wedged", unhealthy, func() { wedged.signal(syscall.SIGUSR1) })
	return well, wedged
}

// check has the checkers ask about the services.
func (s *scene) check(services ...string) {
	for _, service := range services {
		s.watched = append(s.watched, service)
		s.checkers.ask(s.sidecar, service)
	}
}

// turn acts, by which the service becomes so, and waits until every checker
// knows. A checker that does not come to know in time is told a falsehood, which
// the judge counts.
func (s *scene) turn(service string, t truth, act func()) {
	s.oracle.becomes(service, unsure, false)
	if act != nil {
		act()
	}
	s.oracle.becomes(service, t, false)
	s.settle(service, t)
}

// settle waits until every checker knows what the service is.
func (s *scene) settle(service string, t truth) {
	want := notServing
	if t == healthy {
		want = serving
	}
	now := time.Now()
	await(settling+time.Second, func() bool { return s.checkers.agree(service, want, now) })
}

// strictly notes that the service is so, and that every answer must say so at
// once.
func (s *scene) strictly(service string, t truth) { s.oracle.becomes(service, t, true) }

// away notes what is done to landmarkd itself, during which it need not answer,
// and for the second after, in which it waits for agents.
func (s *scene) away(act func()) {
	from := time.Now()
	act()
	s.oracle.away(span{from, time.Now().Add(1200 * time.Millisecond)})
}

// restart kills landmarkd and starts it again.
func (s *scene) restart() { s.away(func() { s.must(s.sidecar.restart()) }) }

// director starts a landmark-watch on the services, whose standard error is the
// file, or is read if that is nil; its track files are checkers from then on.
func (s *scene) director(stderr *os.File, services ...string) *process {
	dir, err := os.MkdirTemp(s.dir, "tracks")
	s.must(err)
	p := s.landmarkWatch(dir, stderr, services...)
	for _, service := range services {
		s.checkers.read(dir, service)
	}
	return p
}

// landmarkWatch starts a landmark-watch that keeps the files of the services in dir.
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

// operator runs landmark, and reports whether it ended in time and well.
func (s *scene) operator(args ...string) bool {
	cmd := exec.Command(filepath.Join(s.programs, "landmark"), args...)
	p, err := start(cmd, true)
	s.must(err)
	s.others = append(s.others, p)
	select {
	case <-p.exited:
		return p.cmd.ProcessState.Success()
	case <-time.After(patience):
		p.kill()
		return false
	}
}

// last waits for the time that an attack lasts: the short form's, or the long's.
func (s *scene) last(short, long time.Duration) {
	if s.long {
		short = long
	}
	for deadline := time.Now().Add(short); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if !s.sidecar.alive() {
			s.fail("landmarkd died: %v", s.sidecar.cmd.ProcessState)
		}
		// Beyond this there is nothing more to learn, and the machine to spare.
		if s.sidecar.measure(); s.sidecar.peak > 4*memoryBound {
			s.fail("landmarkd held %d MB and grew", s.sidecar.peak>>20)
		}
	}
}

// end stops all that was started, and returns what the checkers were answered.
func (s *scene) end() []sample {
	samples := s.checkers.end()
	for _, p := range s.others {
		p.kill()
	}
	for _, p := range s.honest {
		p.signal(syscall.SIGCONT)
		p.kill()
		for _, gap := range p.lateness() {
			s.oracle.wasLate(p.service, gap)
		}
	}
	if s.sidecar != nil {
		if s.sidecar.process != nil && !s.sidecar.alive() && !slices.Contains(s.broke, "landmarkd died") {
			s.broke = append(s.broke, fmt.Sprintf("landmarkd died: %v", s.sidecar.cmd.ProcessState))
		}
		s.sidecar.end()
	}
	if s.after != nil {
		s.after()
	}
	os.RemoveAll(s.dir)
	return samples
}
