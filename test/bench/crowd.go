package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

// crowdCommand is the argument with which this program is the crowd: a process
// of its own, so that it is like any other to landmarkd.
const crowdCommand = "crowd"

// crowd is many programs that report.
type crowd struct {
	services  int
	landmarks int // of each service
	// connections is how many the services share, each with streams of their
	// own; 0 = each service has an agent, and so a connection, to itself.
	connections int
	// byTurns is that the services of a connection report one after the
	// other, evenly in time, and not all at once.
	byTurns bool
}

// within is what the landmarks are allowed. It makes agents report at their
// slowest, every half second.
const within = 2 * time.Second

// every is how often agents of such landmarks report when nothing changes.
const every = 500 * time.Millisecond

func serviceName(i int) string { return fmt.Sprintf("epg%d", i) }

func (c *crowd) flags() *flag.FlagSet {
	flags := flag.NewFlagSet(crowdCommand, flag.ContinueOnError)
	flags.IntVar(&c.services, "services", 0, "")
	flags.IntVar(&c.landmarks, "landmarks", 0, "")
	flags.IntVar(&c.connections, "connections", 0, "")
	flags.BoolVar(&c.byTurns, "by-turns", false, "")
	return flags
}

// start starts the crowd's process, which reports to the socket until stop is
// called.
func (c crowd) start(socket string) (stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, crowdCommand,
		fmt.Sprintf("-services=%d", c.services), fmt.Sprintf("-landmarks=%d", c.landmarks),
		fmt.Sprintf("-connections=%d", c.connections), fmt.Sprintf("-by-turns=%v", c.byTurns), socket)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		cmd.Process.Kill()
		cmd.Wait() // killed: how it ends is known
	}, nil
}

// runCrowd is the crowd's process.
func runCrowd(ctx context.Context, args []string) error {
	var c crowd
	flags := c.flags()
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("usage: bench crowd [flags] SOCKET")
	}
	if c.connections > 0 {
		return c.stream(ctx, flags.Arg(0))
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range c.services {
		p, err := newProgram(flags.Arg(0), serviceName(i), c.landmarks)
		if err != nil {
			return err
		}
		group.Go(func() error { return p.work(ctx) })
	}
	return group.Wait()
}

// program is a program with an agent, all of whose work goes well unless up is
// set otherwise.
type program struct {
	agent  *agent.Agent
	alives []*landmark.Alive
	works  []*landmark.Deadline
	up     *landmark.Condition // the last of its landmarks, if there are at least two
}

// newProgram starts an agent of so many landmarks, of each kind in turn.
func newProgram(socket, service string, landmarks int) (*program, error) {
	p := &program{}
	marks := landmark.NewSet()
	for i := range landmarks {
		name := fmt.Sprintf("landmark %d", i)
		switch i % 5 {
		case 0:
			marks.Loop(name, within, landmark.Post(func(command func()) { command() }))
		case 1:
			p.up = marks.Condition(name)
			p.up.Set(true, "")
		case 2:
			p.alives = append(p.alives, marks.Alive(name, within))
		case 3:
			p.works = append(p.works, marks.Deadline(name, within))
		case 4:
			marks.Level(name, landmark.Above(100, 200)).Set(float64(i))
		}
	}
	var err error
	p.agent, err = agent.Start(agent.Config{Service: service, Landmarks: marks, Socket: socket})
	return p, err
}

// work reaches the program's landmarks until ctx is done, then says goodbye.
func (p *program) work(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		for _, a := range p.alives {
			a.Reach()
		}
		for _, w := range p.works {
			w.Begin().End()
		}
		select {
		case <-ctx.Done():
			return p.agent.Close()
		case <-ticker.C:
		}
	}
}
