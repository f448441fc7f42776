package main

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// waitFactor is how many times the checkers' timeout a scenario waits for any one event: longer than keepalived takes with
// its default times, and far longer than every other event takes on a busy machine.
const waitFactor = 38

// lab is the network and what every scenario has in it: a director, two real servers with an EPG server and a sidecar each,
// and a client of each virtual service. The scenario determines which programs run on the director.
type lab struct {
	ctx      context.Context // the scenario's; cancelled with a cause when a watcher fails
	fail     context.CancelCauseFunc
	journal  *journal.Writer
	speed    journal.Speed
	programs string // the directory of the programs under test

	director namespace
	rs1, rs2 *realServer
	services []virtualService
	clients  []*client
	table    *table
	ipvs     *ipvs

	// The director's programs that can be restarted.
	keepalived, watchers []*daemon
}

// openLab builds the network, starts the real servers' programs and begins to watch the director's table.
func openLab(ctx context.Context, j *journal.Writer, programs string, services []virtualService) (*lab, error) {
	speed, err := measureSpeed(j, programs, envInt("LAB_FACTOR", 1))
	if err != nil {
		return nil, err
	}
	l := &lab{
		journal:  j,
		speed:    speed,
		programs: programs,
		director: directorName,
		rs1:      &realServer{namespace: "rs1", address: "198.51.100.11", programs: programs, within: speed.Within},
		rs2:      &realServer{namespace: "rs2", address: "198.51.100.12", programs: programs, within: speed.Within},
		services: services,
		table:    &table{journal: j, weights: map[string]map[string]int{}},
	}
	l.ctx, l.fail = context.WithCancelCause(ctx)
	l.background(func(ctx context.Context) error { return watchGaps(ctx, j) })
	if err := buildNetwork(l.hosts()); err != nil {
		return nil, fmt.Errorf("building the network: %w", err)
	}
	if err := l.director.forwardPackets(); err != nil {
		return nil, fmt.Errorf("making the director a router: %w", err)
	}
	for _, s := range l.servers() {
		if err := s.configure(""); err != nil {
			return nil, err
		}
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

// hosts returns all hosts of the network.
func (l *lab) hosts() []host {
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

// watchTable begins to watch the director's IPVS table.
func (l *lab) watchTable() (err error) {
	names := map[netip.AddrPort]string{}
	for _, v := range l.services {
		if !v.proxied {
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

// program returns the path of a program under test.
func (l *lab) program(name string) string { return filepath.Join(l.programs, name) }

// servers returns the real servers, by name.
func (l *lab) servers() []*realServer { return []*realServer{l.rs1, l.rs2} }

// background runs a function until the scenario ends. Its error ends the scenario.
func (l *lab) background(run func(context.Context) error) {
	go func() {
		if err := run(l.ctx); err != nil {
			l.fail(err)
		}
	}()
}

// action is one thing that a scenario does or waits for.
type action func() error

// play does the actions in order, until one fails.
func (l *lab) play(actions ...action) error {
	for _, a := range actions {
		if err := a(); err != nil {
			return err
		}
	}
	return nil
}

// step returns an action that calls do, and journals the time at which it began.
func (l *lab) step(name string, do action) action {
	return func() error {
		at := l.journal.Now()
		if err := do(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		l.journal.Step(journal.Step{Name: name, At: at})
		return nil
	}
}

// mark returns an action that journals a step.
func (l *lab) mark(name string) action {
	return l.step(name, func() error { return nil })
}

// startClients starts a client of every service.
func (l *lab) startClients() error {
	for _, v := range l.services {
		c := &client{service: v, journal: l.journal, timeout: l.speed.Timeout}
		l.clients = append(l.clients, c)
		l.background(c.run)
	}
	return nil
}

// awaitSidecar waits until the server's sidecar answers serving.
func (l *lab) awaitSidecar(s *realServer) action {
	return func() error {
		return l.until("the sidecar of "+string(s.namespace)+" to answer serving", func() bool {
			answer, err := s.checkSidecar(l.speed.Timeout)
			return err == nil && answer == journal.Serving
		})
	}
}

// awaitIn waits until both servers are in, at their whole weight, by every way of the kind.
func (l *lab) awaitIn(kind func(way) bool) action {
	return l.awaitWeights("both servers to be in", kind, func(v virtualService) bool {
		whole := max(1, v.weight)
		return l.table.weight(v.name, "rs1") >= whole && l.table.weight(v.name, "rs2") >= whole
	})
}

// awaitOut waits until rs1 is out and rs2 in, by every way of the kind.
func (l *lab) awaitOut(kind func(way) bool) action {
	return l.awaitWeights("rs1 to be out", kind, func(v virtualService) bool {
		return l.table.weight(v.name, "rs1") == 0 && l.table.weight(v.name, "rs2") > 0
	})
}

// awaitAway waits until no server is in by any way of the kind.
func (l *lab) awaitAway(kind func(way) bool) action {
	return l.awaitWeights("no server to be in", kind, func(v virtualService) bool {
		return l.table.weight(v.name, "rs1") == 0 && l.table.weight(v.name, "rs2") == 0
	})
}

// awaitWeights waits until the condition holds for every service of the kind.
func (l *lab) awaitWeights(description string, kind func(way) bool, good func(virtualService) bool) action {
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

// awaitClients waits until every client has ended a request that it began after the call.
func (l *lab) awaitClients() error {
	since := l.journal.Now()
	for _, c := range l.clients {
		err := l.until("a request of a client of "+c.service.name+" to end", func() bool { return c.ended.Load() > int64(since) })
		if err != nil {
			return err
		}
	}
	return nil
}

// linger returns an action that waits for d.
func (l *lab) linger(d time.Duration) action {
	return func() error {
		select {
		case <-time.After(d):
			return nil
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
	}
}

// until waits until the condition holds. The description is for the error if it does not.
func (l *lab) until(description string, condition func() bool) error {
	timeout := waitFactor * l.speed.Timeout
	ctx, cancel := context.WithTimeoutCause(l.ctx, timeout, fmt.Errorf("it took longer than %v", timeout))
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
