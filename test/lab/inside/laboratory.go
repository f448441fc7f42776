package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// patience is how long a scenario waits for any one thing: far longer than it takes on a machine with other work to do.
const patience = 40 * time.Second

// laboratory is the network with everything in it that every scenario has: a director, two real servers with an EPG
// server and a sidecar each, and a client for each virtual service. Which director program runs is the scenario's.
type laboratory struct {
	ctx     context.Context // the scenario's; cancelled with a cause when a watcher fails
	fail    context.CancelCauseFunc
	journal *journal.Writer

	director namespace
	rs1, rs2 *realServer
	clients  map[string]*client // by the service's name
	table    *table
}

// openLaboratory builds the network, starts the real servers' programs and begins to watch the director's table.
func openLaboratory(ctx context.Context, j *journal.Writer, programs string, services ...virtualService) (*laboratory, error) {
	l := &laboratory{
		journal:  j,
		director: directorName,
		rs1:      &realServer{namespace: "rs1", address: "198.51.100.11", programs: programs},
		rs2:      &realServer{namespace: "rs2", address: "198.51.100.12", programs: programs},
		clients:  map[string]*client{},
	}
	l.ctx, l.fail = context.WithCancelCause(ctx)
	front := []string{directorFront, directorBack}
	names := map[netip.AddrPort]string{}
	for _, v := range services {
		front = append(front, v.address)
		names[v.addrPort()] = v.name
		l.clients[v.name] = &client{service: v, journal: j}
	}
	hosts := []host{
		{name: clientName, addresses: []string{clientAddress}},
		{name: l.director, addresses: front},
	}
	servers := map[netip.Addr]string{}
	for _, s := range l.servers() {
		hosts = append(hosts, host{name: s.namespace, addresses: []string{s.address}, gateway: directorBack})
		servers[netip.MustParseAddr(s.address)] = string(s.namespace)
	}
	if err := buildNetwork(hosts); err != nil {
		return nil, fmt.Errorf("building the network: %w", err)
	}
	if err := l.director.forwardPackets(); err != nil {
		return nil, fmt.Errorf("making the director a router: %w", err)
	}
	for _, s := range l.servers() {
		if err := s.startSidecar(); err != nil {
			return nil, err
		}
		if err := s.startProgram(); err != nil {
			return nil, err
		}
	}
	var err error
	if l.table, err = openTable(names, servers, j); err != nil {
		return nil, err
	}
	l.background(l.table.watch)
	return l, nil
}

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

// step journals the step and does it.
func (l *laboratory) step(name string, do act) act {
	return func() error {
		l.journal.Step(name)
		if err := do(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
}

// startClients lets every client ask from now on.
func (l *laboratory) startClients() error {
	for _, c := range l.clients {
		l.background(c.run)
	}
	return nil
}

// askByProgram asks the service once by the EPG server's own client program.
func (l *laboratory) askByProgram(service string) act {
	return func() error { return l.clients[service].askByProgram(l.rs1.program("epgd")) }
}

// awaitSidecar waits until the server's sidecar says that the server serves.
func (l *laboratory) awaitSidecar(s *realServer) act {
	return func() error {
		return l.until("the sidecar of "+string(s.namespace)+" to say serving", func() bool {
			serving, err := s.askSidecar(3 * time.Second)
			return err == nil && serving
		})
	}
}

// mark journals that the step was reached.
func (l *laboratory) mark(name string) act {
	return l.step(name, func() error { return nil })
}

// awaitServers waits until the service has exactly the given servers in, which are sorted by name.
func (l *laboratory) awaitServers(service string, servers ...string) act {
	return func() error {
		return l.until(fmt.Sprintf("%s to have %v in", service, servers),
			func() bool { return l.table.has(service, servers) })
	}
}

// awaitProgrammes waits until the service's client has got n more programmes.
func (l *laboratory) awaitProgrammes(service string, n int64) act {
	return func() error {
		got := &l.clients[service].got
		goal := got.Load() + n
		return l.until(fmt.Sprintf("%d more programmes through %s", n, service),
			func() bool { return got.Load() >= goal })
	}
}

// awaitFailures waits until n more requests of the service's client have failed.
func (l *laboratory) awaitFailures(service string, n int64) act {
	return func() error {
		failed := &l.clients[service].failed
		goal := failed.Load() + n
		return l.until(fmt.Sprintf("%d more failed requests through %s", n, service),
			func() bool { return failed.Load() >= goal })
	}
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
	ctx, cancel := context.WithTimeoutCause(l.ctx, patience, fmt.Errorf("it took longer than %v", patience))
	defer cancel()
	tick := time.NewTicker(pollInterval)
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
