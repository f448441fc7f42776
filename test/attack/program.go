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
	// within is the time within which an honest program's main loop must answer.
	within = time.Second
	// loopInterval is the longest time between two iterations of that loop.
	loopInterval = 20 * time.Millisecond
	// lateAfter is a gap between two iterations that landmarkd may report: within,
	// less the longest interval between two get-state commands.
	lateAfter = 400 * time.Millisecond
)

const (
	// reported is what an honest program writes once landmarkd has its reports.
	reported = "reported"
	// leaked is what it writes once a child holds its sockets.
	leaked = "leaked"
)

// programRole is the argument that makes this program an honest program: a server
// with one main loop and an agent. SIGUSR1 makes its loop hang until SIGUSR2; SIGTERM
// ends it with a goodbye. If an iteration of its loop is late although it is not
// hung, it writes "late FROM TO", in nanoseconds of Unix time: then the machine
// was too slow, and landmarkd may report it.
const programRole = "program"

// runProgram is the honest program's process.
func runProgram(args []string) error {
	flags := flag.NewFlagSet(programRole, flag.ContinueOnError)
	var c agent.Config
	flags.StringVar(&c.Service, "service", "", "")
	flags.StringVar(&c.Instance, "instance", "", "")
	flags.StringVar(&c.Socket, "socket", "", "")
	never := flags.Bool("never", false, "the main loop never runs")
	notify := flags.String("notify", "", "report by notifications to the socket, and block or retry while it is full")
	leak := flags.Bool("leak", false, "start a child that holds the agent's socket")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)

	if *notify != "" {
		return runNotifier(ctx, c.Socket, c.Service, c.Instance, *notify, signals)
	}
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
	if *leak {
		time.AfterFunc(300*time.Millisecond, leakSockets)
	}
	ticker := time.NewTicker(loopInterval)
	defer ticker.Stop()
	last := time.Now()
	for answers := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case answer := <-loop.C():
			answer()
			// A command comes after a report, so earlier answers were reported.
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
		if now := time.Now(); now.Sub(last) > lateAfter {
			fmt.Fprintln(os.Stderr, "late", last.UnixNano(), now.UnixNano())
		}
		last = time.Now()
	}
}

// leakSockets starts a child that holds every socket of this process, as a program
// does that forks without closing them.
func leakSockets() {
	open, _ := os.ReadDir("/proc/self/fd")
	for _, f := range open {
		fd, _ := strconv.Atoi(f.Name())
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
		}
	}
	// It ends by itself, a while after the attack.
	if err := exec.Command("sleep", "30").Start(); err == nil {
		fmt.Fprintln(os.Stderr, leaked)
	}
}

// program is the process of an honest program.
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

// lateness returns the times in which the program's loop was late.
func (p *program) lateness() (gaps []span) {
	lines, _ := p.written()
	for _, line := range lines {
		var from, to int64
		if n, _ := fmt.Sscanf(line, "late %d %d", &from, &to); n == 2 {
			gaps = append(gaps, span{time.Unix(0, from), time.Unix(0, to)})
		}
	}
	return gaps
}

// self returns the path of this program.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return filepath.Join("/proc", "self", "exe")
	}
	return path
}
