package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/test/bfdpeer"
)

// workloadMode is the argument that makes this program run a workload. A workload
// runs in a process of its own, so that landmarkd treats it like any other program.
const workloadMode = "workload"

// workload is a set of services that report to landmarkd.
type workload struct {
	services  int
	landmarks int // of each service
	// connections is how many connections the services share, with one stream for
	// each service. 0 = each service has an agent, and so a connection, of its own.
	connections int
	// staggered makes the services of a connection report one after the other,
	// evenly spread over the report interval, and not all at once.
	staggered bool
	// changes is how many of the services change their status each second, in turn; it
	// needs connections.
	changes int
	// pages is how many pages are open in browsers.
	pages int
	// scrapes means that the metrics are scraped each scrapeInterval.
	scrapes bool
	// peers is how many peers hold a BFD session of the first service, at the default
	// interval of 1 s.
	peers int
	local netip.Addr // landmarkd's address in these sessions
}

// configure returns the workload with an address for its BFD sessions, and the
// configuration for landmarkd.
func (w workload) configure() (workload, string) {
	w.local = bfdpeer.NewLocal()
	return w, bfdpeer.YAML(w.sessions(), "")
}

// sessions returns the BFD sessions.
func (w workload) sessions() []bfd.Peering {
	return bfdpeer.Sessions(serviceName(0), w.local, w.peers)
}

const (
	// within is the limit of all landmarks. It makes agents report at their slowest
	// rate.
	within = 2 * time.Second
	// reportInterval is how often agents of such landmarks report if nothing changes.
	reportInterval = 500 * time.Millisecond
)

func serviceName(i int) string { return fmt.Sprintf("epg%d", i) }

// start starts the workload in a process that reports to the socket until stop is
// called.
func (w workload) start(socket string) (stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, workloadMode,
		fmt.Sprintf("-services=%d", w.services), fmt.Sprintf("-landmarks=%d", w.landmarks),
		fmt.Sprintf("-connections=%d", w.connections), fmt.Sprintf("-staggered=%v", w.staggered),
		fmt.Sprintf("-changes=%d", w.changes), fmt.Sprintf("-peers=%d", w.peers), "-local="+w.local.String(), socket)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		cmd.Process.Kill()
		cmd.Wait() // its error only says that it was killed
	}, nil
}

// runWorkload runs the workload that start has started.
func runWorkload(ctx context.Context, args []string) error {
	var w workload
	flags := w.flags()
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("usage: bench workload [flags] SOCKET")
	}
	for _, session := range w.sessions() {
		p, err := bfdpeer.Start(session)
		if err != nil {
			return err
		}
		defer p.Close()
	}
	if w.connections > 0 {
		return w.runStreams(ctx, flags.Arg(0))
	}
	return w.runAgents(ctx, flags.Arg(0))
}

func (w *workload) flags() *flag.FlagSet {
	flags := flag.NewFlagSet(workloadMode, flag.ContinueOnError)
	flags.IntVar(&w.services, "services", 0, "")
	flags.IntVar(&w.landmarks, "landmarks", 0, "")
	flags.IntVar(&w.connections, "connections", 0, "")
	flags.BoolVar(&w.staggered, "staggered", false, "")
	flags.IntVar(&w.changes, "changes", 0, "")
	flags.IntVar(&w.peers, "peers", 0, "")
	flags.TextVar(&w.local, "local", netip.IPv4Unspecified(), "")
	return flags
}

// runAgents runs one agent for each service until ctx is done.
func (w workload) runAgents(ctx context.Context, socket string) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := range w.services {
		p, err := newProgram(socket, serviceName(i), w.landmarks)
		if err != nil {
			return err
		}
		group.Go(func() error { return p.run(ctx) })
	}
	return group.Wait()
}

// program is a program with an agent. It is healthy unless its condition is set to
// false.
type program struct {
	agent     *agent.Agent
	alives    []*landmark.Alive
	deadlines []*landmark.Deadline
	condition *landmark.Condition // the last one, nil with fewer than two landmarks
	failed    bool                // the condition does not hold, by flip
}

// flip changes whether the program's condition holds.
func (p *program) flip() error {
	p.failed = !p.failed
	p.condition.Set(!p.failed, "set by the measurement")
	return nil
}

// newProgram starts an agent with so many landmarks, of each kind in turn.
func newProgram(socket, service string, landmarks int) (*program, error) {
	p := &program{}
	marks := landmark.NewSet()
	for i := range landmarks {
		name := fmt.Sprintf("landmark %d", i)
		switch i % 5 {
		case 0:
			marks.Loop(name, within, landmark.Post(func(command func()) { command() }))
		case 1:
			p.condition = marks.Condition(name)
			p.condition.Set(true, "")
		case 2:
			p.alives = append(p.alives, marks.Alive(name, within))
		case 3:
			p.deadlines = append(p.deadlines, marks.Deadline(name, within))
		case 4:
			marks.Level(name, landmark.Above(100, 200)).Set(float64(i))
		}
	}
	var err error
	p.agent, err = agent.Start(agent.Config{Service: service, Landmarks: marks, Socket: socket})
	return p, err
}

// run reaches the program's landmarks until ctx is done, then closes the agent.
func (p *program) run(ctx context.Context) error {
	ticker := time.NewTicker(reportInterval)
	defer ticker.Stop()
	for {
		for _, a := range p.alives {
			a.Reach()
		}
		for _, d := range p.deadlines {
			d.Begin().End()
		}
		select {
		case <-ctx.Done():
			return p.agent.Close()
		case <-ticker.C:
		}
	}
}
