package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

const (
	// within is what an honest program's main loop is allowed.
	within = time.Second
	// turn is how often the main loop of an honest program turns at least.
	turn = 20 * time.Millisecond
	// late is a gap between two turns that landmarkd may rightly notice: what
	// remains of within after the longest interval between two commands.
	late = 400 * time.Millisecond
)

// reported is what an honest program writes once landmarkd knows that it is ready.
const reported = "reported"

// programRole is the argument with which this program is an honest program: a
// server with one main loop and an agent. SIGUSR1 wedges its loop until SIGUSR2;
// SIGTERM ends it with a goodbye. It writes "late FROM TO", in nanoseconds of the
// Unix time, when its loop did not turn in time without having been told to:
// then the machine was too slow, and what landmarkd says about it is no error.
const programRole = "program"

// runProgram is the honest program's process.
func runProgram(args []string) error {
	flags := flag.NewFlagSet(programRole, flag.ContinueOnError)
	var c agent.Config
	flags.StringVar(&c.Service, "service", "", "")
	flags.StringVar(&c.Instance, "instance", "", "")
	flags.StringVar(&c.Socket, "socket", "", "")
	never := flags.Bool("never", false, "the main loop never turns")
	heir := flags.Bool("heir", false, "leave a child that holds the agent's socket")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)

	c.Landmarks = landmark.NewSet()
	loop := c.Landmarks.Loop("main loop", within)
	a, err := agent.Start(c)
	if err != nil {
		return err
	}
	defer a.Close()
	if *never {
		<-ctx.Done()
		return nil
	}
	if *heir {
		time.AfterFunc(300*time.Millisecond, bequeath)
	}
	ticker := time.NewTicker(turn)
	defer ticker.Stop()
	last := time.Now()
	for answers := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case answer := <-loop.C():
			answer()
			// A command comes after a report, so that an answer was reported.
			if answers++; answers == 3 {
				fmt.Fprintln(os.Stderr, reported)
			}
		case <-ticker.C:
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				for <-signals != syscall.SIGUSR2 {
				}
				last = time.Now()
			}
		}
		if now := time.Now(); now.Sub(last) > late {
			fmt.Fprintln(os.Stderr, "late", last.UnixNano(), now.UnixNano())
		}
		last = time.Now()
	}
}

// bequeath starts a child that holds every socket of this process, as a program
// does that forks without closing them.
func bequeath() {
	open, _ := os.ReadDir("/proc/self/fd")
	for _, f := range open {
		fd, _ := strconv.Atoi(f.Name())
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
		}
	}
	// It ends by itself, a while after the attack.
	if err := exec.Command("sleep", "30").Start(); err == nil {
		fmt.Fprintln(os.Stderr, "bequeathed")
	}
}

// program is an honest program as an attack sees it.
type program struct {
	*process
	service  string
	instance string
}

// newProgram starts an honest program that reports to the socket.
func newProgram(socket, service, instance string, flags ...string) (*program, error) {
	cmd := exec.Command(self(), append([]string{programRole, "-socket", socket, "-service", service, "-instance", instance}, flags...)...)
	p, err := start(cmd, true)
	return &program{p, service, instance}, err
}

// lateness returns when the program's loop did not turn in time.
func (p *program) lateness() (found []span) {
	lines, _ := p.written()
	for _, line := range lines {
		var from, to int64
		if n, _ := fmt.Sscanf(line, "late %d %d", &from, &to); n == 2 {
			found = append(found, span{time.Unix(0, from), time.Unix(0, to)})
		}
	}
	return found
}

// self is the path of this program.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return filepath.Join("/proc", "self", "exe")
	}
	return path
}
