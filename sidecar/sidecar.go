package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/config"
	"github.com/landmark-health/landmark/internal/frontend/grpchealth"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/frontend/grpcstatus"
	"github.com/landmark-health/landmark/internal/frontend/line"
	"github.com/landmark-health/landmark/internal/frontend/lmp"
	"github.com/landmark-health/landmark/internal/intake/admin"
	"github.com/landmark-health/landmark/internal/intake/agents"
	"github.com/landmark-health/landmark/internal/intake/host"
	"github.com/landmark-health/landmark/internal/members"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// Sidecar is a sidecar whose listeners are bound.
type Sidecar struct {
	logger    *slog.Logger
	file      string // of policies, "" = none
	clock     *clock.Clock
	limits    connLimits
	drainFor  time.Duration // before it stops
	refusals  *socket.Refusals
	services  *registry.Registry
	host      *host.Server
	checkers  *checkers.Tracker
	members   *members.File // nil if none is kept
	intake    []task
	frontEnds []task
	closers   []io.Closer
	addresses []any // where, as attributes of a log line
}

// task is one part of the sidecar at work: it returns nil when ctx is done.
type task func(ctx context.Context) error

// New binds everything that the configuration asks for, or nothing and returns
// an error that says what to do.
func New(c Config) (*Sidecar, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	available, err := availableLimits()
	if err != nil {
		return nil, err
	}
	if c.Line != "" {
		available = available.withLine()
	}
	clock := clock.New()
	services := registry.New(clock, c.StartGrace)
	s := &Sidecar{
		logger:   c.Logger,
		file:     c.File,
		clock:    clock,
		limits:   available,
		drainFor: c.DrainOnStop,
		refusals: socket.NewRefusals(c.Logger),
		services: services,
		host:     host.New(services, c.Logger),
		checkers: checkers.New(c.Logger, func() time.Duration { _, real := clock.Read(); return time.Duration(real) }),
	}
	s.intake = append(s.intake, s.host.Run)
	if err := s.Reload(); err != nil {
		return nil, err
	}
	for _, bind := range []func(Config, *registry.Registry) error{s.bindAgents, s.restoreMembers, s.bindAdmin, s.bindMonitor, s.bindLine, s.bindGRPC} {
		if err := bind(c, services); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *Sidecar) bindAgents(c Config, services *registry.Registry) error {
	if c.AgentSocket == "" {
		return nil
	}
	l, err := s.listen("unix:"+c.AgentSocket, "agents")
	if err != nil {
		return bindError("agent-socket", err)
	}
	s.closers = append(s.closers, l)
	s.addresses = append(s.addresses, "agents", c.AgentSocket)
	server := agents.New(services, c.Logger)
	quota := s.byUser(s.limits.agents, "agents")
	quota.PerClient, quota.ActiveWithin = s.limits.agentsPerUser, activeAgent
	agents := socket.LimitPer(l, quota)
	s.intake = append(s.intake, func(ctx context.Context) error { return server.Run(ctx, agents) })
	return nil
}

func (s *Sidecar) bindAdmin(c Config, services *registry.Registry) error {
	if c.AdminSocket == "" {
		return nil
	}
	l, err := s.listen("unix:"+c.AdminSocket, "operators")
	if err != nil {
		return bindError("admin-socket", err)
	}
	s.closers = append(s.closers, l)
	s.addresses = append(s.addresses, "operators", c.AdminSocket)
	quota := s.byUser(operators, "operators")
	quota.PerClient = operatorsPerUser
	server, calls := admin.New(services, s.syncMembers, c.Logger), socket.LimitPer(l, quota)
	s.intake = append(s.intake, func(ctx context.Context) error { return server.Run(ctx, calls) })
	return nil
}

func (s *Sidecar) bindMonitor(c Config, services *registry.Registry) error {
	if c.Monitor == "" {
		return nil
	}
	server, err := lmp.New(lmp.Config{
		Address: c.Monitor,
		Limit: func(l net.Listener, closed func()) net.Listener {
			return socket.LimitPer(socket.RetryAccept(l, "monitor", s.refusals), socket.QuotaByAddress(s.limits.monitor, func(netip.Prefix) { closed() }))
		},
		Keys:     c.MonitorKeys,
		Source:   services,
		Checkers: s.checkers,
		Logger:   c.Logger,
	})
	if err != nil {
		return bindError("monitor", err)
	}
	s.closers = append(s.closers, server)
	s.addresses = append(s.addresses, "monitor", server.Addr().String())
	s.frontEnds = append(s.frontEnds, server.Run)
	return nil
}

func (s *Sidecar) bindLine(c Config, services *registry.Registry) error {
	if c.Line == "" {
		return nil
	}
	l, err := s.listen(c.Line, "line clients")
	if err != nil {
		return bindError("line", err)
	}
	s.closers = append(s.closers, l)
	s.addresses = append(s.addresses, "line", l.Addr().String())
	server := line.New(line.Config{
		Listener: socket.LimitPer(l, s.byAddress(s.limits.line, "line clients")),
		Source:   services,
		Checkers: s.checkers,
	})
	s.frontEnds = append(s.frontEnds, server.Run)
	return nil
}

func (s *Sidecar) bindGRPC(c Config, services *registry.Registry) error {
	if c.GRPC == "" {
		return nil
	}
	l, err := s.listen(c.GRPC, "gRPC clients")
	if err != nil {
		return bindError("grpc", err)
	}
	s.closers = append(s.closers, l)
	s.addresses = append(s.addresses, "grpc", l.Addr().String())
	server := grpcserver.New(grpcserver.Config{Listeners: []net.Listener{s.limitGRPC(l)}})
	grpchealth.Register(server, grpchealth.Config{Source: services, Checkers: s.checkers})
	grpcstatus.Register(server, grpcstatus.Config{Source: services, Checkers: s.checkers})
	s.frontEnds = append(s.frontEnds, server.Run)
	return nil
}

func (s *Sidecar) limitGRPC(l net.Listener) net.Listener {
	const clients = "gRPC clients"
	if l.Addr().Network() == "unix" {
		return socket.LimitPer(l, s.byUser(s.limits.grpc, clients))
	}
	return socket.LimitPer(l, s.byAddress(s.limits.grpc, clients))
}

// byUser divides n connections among users, and logs when some are closed
// because there are too many.
func (s *Sidecar) byUser(n int, of string) socket.Quota[uint32] {
	return socket.QuotaByUser(n, func(uid uint32) { s.refusals.Log(fmt.Sprintf("%s of uid %d", of, uid), n) })
}

// byAddress divides n connections among addresses, and logs when some are closed
// because there are too many. The log does not name the addresses, of which one
// host may have very many.
func (s *Sidecar) byAddress(n int, of string) socket.Quota[netip.Prefix] {
	return socket.QuotaByAddress(n, func(netip.Prefix) { s.refusals.Log(of, n) })
}

// listen returns a listener at HOST:PORT or unix:PATH that no failure to accept
// ends. The log calls its connections by the name.
func (s *Sidecar) listen(address, name string) (l net.Listener, err error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		if l, err = net.Listen("tcp", address); err != nil {
			return nil, err
		}
		return socket.RetryAccept(l, name, s.refusals), nil
	}
	unix, err := socket.Listen(path)
	if err != nil {
		return nil, err
	}
	s.intake = append(s.intake, func(ctx context.Context) error { return unix.KeepBound(ctx, s.logger) })
	return socket.RetryAccept(unix, name, s.refusals), nil
}

// Run works until ctx is done, drains all services if that was asked for, then
// closes the front ends, then the intake, and returns nil. But for the drain
// nobody is told otherwise of a program, up to the last answer, because its
// sidecar stops. It may be called once.
func (s *Sidecar) Run(ctx context.Context) error {
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	inner, innerCtx := errgroup.WithContext(working)
	beat := func(ctx context.Context) error { return s.clock.Run(ctx, s.host.CaughtUp) }
	s.services.BeginGrace()
	stopKeeping := s.keepMembers()
	for _, work := range append(s.intake, beat) {
		inner.Go(func() error { return work(innerCtx) })
	}
	// A front end that fails ends the rest, and so does the intake.
	outer, outerCtx := errgroup.WithContext(s.afterDrain(ctx))
	for _, work := range append(s.frontEnds, s.checkers.Run, s.forgetCheckers) {
		outer.Go(func() error { return work(outerCtx) })
	}
	outer.Go(func() error {
		select {
		case <-innerCtx.Done():
			return inner.Wait()
		case <-outerCtx.Done():
			return nil
		}
	})
	s.logger.Info("landmarkd is ready", s.addresses...)
	err := outer.Wait()
	stopWorking()
	err = errors.Join(err, inner.Wait())
	stopKeeping()
	return errors.Join(err, s.Close())
}

// afterDrain returns a context that is done once ctx is, and all services have
// then been drained for as long as they are to be.
func (s *Sidecar) afterDrain(ctx context.Context) context.Context {
	if s.drainFor == 0 {
		return ctx
	}
	drained, done := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		s.logger.Info("draining all services before stopping", "for", s.drainFor)
		s.services.DrainAll()
		time.AfterFunc(s.drainFor, done)
	})
	return drained
}

// Reload reads the configuration's file again and has the services judged by
// it from now on. If it cannot be read, all stays as it is, and the error says
// why. It may be called at any time.
func (s *Sidecar) Reload() error {
	if s.file == "" {
		return nil
	}
	policies, err := config.Read(s.file)
	if err != nil {
		return err
	}
	s.host.Configure(policies)
	s.checkers.Retain(s.services.Names())
	return nil
}

// Close unbinds what New bound, for a Sidecar that is not run; Run does so by
// itself.
func (s *Sidecar) Close() error {
	var errs []error
	for _, b := range s.closers {
		if err := b.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
