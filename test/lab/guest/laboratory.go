package main

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// vain is for how many times the checkers' patience a scenario waits for any one thing: longer than keepalived takes at its
// own times, and far longer than all else does on a machine with other work to do.
const vain = 38

// laboratory is the network with everything in it that every scenario has: a director, two real servers with an EPG
// server and a sidecar each, and a client for each virtual service. Which programs run on the director is the scenario's.
type laboratory struct {
	ctx      context.Context // the scenario's; cancelled with a cause when a watcher fails
	fail     context.CancelCauseFunc
	journal  *journal.Writer
	pace     journal.Pace
	programs string // the directory of the programs under test

	director namespace
	rs1, rs2 *realServer
	services []virtualService
	clients  []*client
	table    *table
	ipvs     *ipvs

	// The director's programs that are restarted.
	keepalived, watchers []*daemon
}

// openLaboratory builds the network, starts the real servers' programs and begins to watch the director's table.
func openLaboratory(ctx context.Context, j *journal.Writer, programs string, services []virtualService) (*laboratory, error) {
	pace, err := measurePace(j, programs, fromEnvironment("LAB_FACTOR", 1))
	if err != nil {
		return nil, err
	}
	l := &laboratory{
		journal:  j,
		pace:     pace,
		programs: programs,
		director: directorName,
		rs1:      &realServer{namespace: "rs1", address: "198.51.100.11", programs: programs, within: pace.Within},
		rs2:      &realServer{namespace: "rs2", address: "198.51.100.12", programs: programs, within: pace.Within},
		services: services,
		table:    &table{journal: j, weights: map[string]map[string]int{}},
	}
	l.ctx, l.fail = context.WithCancelCause(ctx)
	l.background(func(ctx context.Context) error { return watchPulse(ctx, j) })
	if err := buildNetwork(l.hosts()); err != nil {
		return nil, fmt.Errorf("building the network: %w", err)
	}
	if err := l.director.forwardPackets(); err != nil {
		return nil, fmt.Errorf("making the director a router: %w", err)
	}
	if err := configureSidecars(); err != nil {
		return nil, err
	}
	for _, s := range l.servers() {
		if err := s.startSidecar(); err != nil {
			return nil, err
		}
		if err := s.startProgram(); err != nil {
			return nil, err
		}
	}
	if err := l.installCheck(); err != nil {
		return nil, err
	}
	return l, l.watchTable()
}

// hosts are all hosts of the network.
func (l *laboratory) hosts() []host {
	front := []string{directorFront, directorBack}
	var clients, direct []string
	for _, v := range l.services {
		front, clients = append(front, v.address), append(clients, v.client)
		if v.direct {
			direct = append(direct, v.address)
		}
	}
	hosts := []host{
		{name: clientName, addresses: clients},
		{name: l.director, addresses: front},
	}
	for _, s := range l.servers() {
		hosts = append(hosts, host{name: s.namespace, addresses: []string{s.address}, gateway: directorBack, virtual: direct})
	}
	return hosts
}

// watchTable begins to watch the director's kernel.
func (l *laboratory) watchTable() (err error) {
	names := map[netip.AddrPort]string{}
	for _, v := range l.services {
		if !v.outside {
			names[v.addrPort()] = v.name
		}
	}
	servers := map[netip.Addr]string{}
	for _, s := range l.servers() {
		servers[netip.MustParseAddr(s.address)] = string(s.namespace)
	}
	if l.ipvs, err = openIPVS(names, servers, l.journal, l.table); err != nil {
		return err
	}
	l.background(l.ipvs.watch)
	return nil
}

// program is the path of a program under test.
func (l *laboratory) program(name string) string { return filepath.Join(l.programs, name) }

// servers are the real servers, by name.
func (l *laboratory) servers() []*realServer { return []*realServer{l.rs1, l.rs2} }

// background runs a watcher for as long as the scenario lasts. Its error ends the scenario.
func (l *laboratory) background(run func(context.Context) error) {
	go func() {
		if err := run(l.ctx); err != nil {
			l.fail(err)
		}
	}()
}

// act is one thing that a scenario does or waits for.
type act func() error

// play does the acts in order, until one fails.
func (l *laboratory) play(acts ...act) error {
	for _, a := range acts {
		if err := a(); err != nil {
			return err
		}
	}
	return nil
}

// step does something and journals it, at the time when it was begun.
func (l *laboratory) step(name string, do act) act {
	return func() error {
		at := l.journal.Now()
		if err := do(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		l.journal.Step(journal.Step{Name: name, At: at})
		return nil
	}
}

// mark journals that the step was reached.
func (l *laboratory) mark(name string) act {
	return l.step(name, func() error { return nil })
}

// startClients lets a client of every service ask from now on.
func (l *laboratory) startClients() error {
	for _, v := range l.services {
		c := &client{service: v, journal: l.journal, limit: l.pace.Patience}
		l.clients = append(l.clients, c)
		l.background(c.run)
	}
	return nil
}

// awaitSidecar waits until the server's sidecar says that the server serves.
func (l *laboratory) awaitSidecar(s *realServer) act {
	return func() error {
		return l.until("the sidecar of "+string(s.namespace)+" to say serving", func() bool {
			says, err := s.askSidecar(l.pace.Patience)
			return err == nil && says == journal.Serving
		})
	}
}

// awaitIn waits until rs1 and rs2 are in, at their whole weight, wherever the ways are of the kind.
func (l *laboratory) awaitIn(kind func(way) bool) act {
	return l.awaitWeights("both servers to be in", kind, func(v virtualService) bool {
		whole := max(1, v.weight)
		return l.table.weight(v.name, "rs1") >= whole && l.table.weight(v.name, "rs2") >= whole
	})
}

// awaitOut waits until rs1 is out, and rs2 in, wherever the ways are of the kind.
func (l *laboratory) awaitOut(kind func(way) bool) act {
	return l.awaitWeights("rs1 to be out", kind, func(v virtualService) bool {
		return l.table.weight(v.name, "rs1") == 0 && l.table.weight(v.name, "rs2") > 0
	})
}

// awaitWeights waits until every service of the kind is as it ought to be.
func (l *laboratory) awaitWeights(description string, kind func(way) bool, good func(virtualService) bool) act {
	return func() error {
		for _, v := range l.services {
			if !kind(v.way) {
				continue
			}
			if err := l.until(fmt.Sprintf("%s through %s", description, v.name), func() bool { return good(v) }); err != nil {
				return err
			}
		}
		return nil
	}
}

// awaitClients waits until every client has had an answer, or given up, to a request that it began from now on.
func (l *laboratory) awaitClients() error {
	since := l.journal.Now()
	for _, c := range l.clients {
		err := l.until("a client of "+c.service.name+" to have asked", func() bool { return c.ended.Load() > int64(since) })
		if err != nil {
			return err
		}
	}
	return nil
}

// linger lets everything run on for d.
func (l *laboratory) linger(d time.Duration) act {
	return func() error {
		select {
		case <-time.After(d):
			return nil
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
	}
}

// until waits for the condition, which is described for the error of having waited in vain.
func (l *laboratory) until(description string, condition func() bool) error {
	patience := vain * l.pace.Patience
	ctx, cancel := context.WithTimeoutCause(l.ctx, patience, fmt.Errorf("it took longer than %v", patience))
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", description, context.Cause(ctx))
		}
	}
	return nil
}
