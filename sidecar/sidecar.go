package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/config"
	"github.com/landmark-health/landmark/internal/frontend/bfd"
	"github.com/landmark-health/landmark/internal/frontend/gate"
	"github.com/landmark-health/landmark/internal/frontend/grpchealth"
	"github.com/landmark-health/landmark/internal/frontend/grpcserver"
	"github.com/landmark-health/landmark/internal/frontend/grpcstatus"
	"github.com/landmark-health/landmark/internal/frontend/line"
	"github.com/landmark-health/landmark/internal/frontend/lmp"
	"github.com/landmark-health/landmark/internal/frontend/page"
	"github.com/landmark-health/landmark/internal/frontend/web"
	"github.com/landmark-health/landmark/internal/intake/admin"
	"github.com/landmark-health/landmark/internal/intake/agents"
	"github.com/landmark-health/landmark/internal/intake/host"
	"github.com/landmark-health/landmark/internal/intake/kernel"
	"github.com/landmark-health/landmark/internal/intake/probes"
	"github.com/landmark-health/landmark/internal/intake/sdnotify"
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/members"
	"github.com/landmark-health/landmark/internal/metrics"
	"github.com/landmark-health/landmark/internal/recorder"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sampler"
	"github.com/landmark-health/landmark/internal/servicemanager"
	"github.com/landmark-health/landmark/internal/socket"
)

// Sidecar is a sidecar whose listeners are bound.
type Sidecar struct {
	logger    *slog.Logger
	file      string // the configuration, "" = none
	listeners []config.Listener
	clock     *clock.Clock
	limits    connLimits
	drainFor  time.Duration // before it stops
	refusals  *socket.Refusals
	services  *registry.Registry
	host      *host.Server
	probes    *probes.Server
	programs  *sdnotify.Server // that send notifications
	loading   sync.Mutex
	loaded    map[string]config.Notify // what the file says of programs; guarded by loading
	gates     *gate.Server
	bfd       *bfd.Server
	checkers  *checkers.Tracker
	members   *members.File // nil if there is none
	recorder  *recorder.Recorder
	journal   *journal.Journal // nil if there is none
	intake    []task
	frontEnds []task
	closers   []io.Closer              // what New opened
	addresses []any                    // of the listeners, as attributes of a log line
	manager   *servicemanager.Notifier // nil if there is none
	watchdog  time.Duration            // the service manager's timeout; 0 = none
	turns     []turn                   // what must work for the watchdog
	own       metrics.Own              // of the metrics
	reloads   reloadCounts
}

// task is one part of the running sidecar. It returns nil when ctx is done.
type task func(ctx context.Context) error

// New binds all listeners of the configuration. If it returns an error, which says
// what to do, it has closed all that it opened.
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
	if c.HTTP != "" {
		available = available.withHTTP()
	}
	available = available.withNotify(c.File != "")
	if c.File != "" {
		available = available.withGates().withProbes().allowBFD()
	}
	clock := clock.New()
	services := registry.New(clock, c.StartGrace)
	s := &Sidecar{
		logger:    c.Logger,
		file:      c.File,
		listeners: c.listeners(),
		clock:     clock,
		limits:    available,
		drainFor:  c.DrainOnStop,
		refusals:  socket.NewRefusals(c.Logger),
		services:  services,
		checkers:  checkers.New(c.Logger, func() time.Duration { _, real := clock.Read(); return time.Duration(real) }),
	}
	s.bindJournal(c)
	s.probes = probes.New(probes.Config{Awake: clock.Awake, Checked: s.recorder.Checked})
	s.own = s.measureOwn(c)
	s.host = host.New(host.Config{Registry: services, Prober: s.probes, Logger: c.Logger})
	if c.ServiceManager {
		s.connectServiceManager()
	}
	s.turns = []turn{
		{"clock", clock.Turn},
		{"registry", func(context.Context) error { services.Turn(); return nil }},
	}
	s.gates = gate.New(gate.Config{Source: services, Checkers: s.checkers, Logger: c.Logger})
	s.frontEnds = append(s.frontEnds, s.gates.Run)
	s.intake = append(s.intake, s.host.Run, s.probes.Run, kernel.New(kernel.Config{Registry: services, Logger: c.Logger}).Run)
	s.closers = append(s.closers, s.host)
	for _, bind := range []func(Config, *registry.Registry) error{s.bindAgents, s.bindNotify, s.newBFD} {
		if err := bind(c, services); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if s.file != "" {
		file, err := s.load()
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.limits = s.limits.withBFD(bfd.Sockets(file.Peerings))
	}
	s.limits = s.limits.withRest()
	for _, bind := range []func(Config, *registry.Registry) error{s.restoreMembers, s.bindAdmin, s.bindMonitor, s.bindLine, s.bindGRPC, s.bindHTTP} {
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
		return bindError("agent-socket", "unix:"+c.AgentSocket, err)
	}
	s.closers = append(s.closers, l)
	s.addresses = append(s.addresses, "agent_socket", c.AgentSocket)
	server := agents.New(services, c.Logger)
	quota := s.byUser(s.limits.agents, "agents")
	quota.PerClient, quota.ActiveWithin = s.limits.agentsPerUser, activeAgent
	limited := socket.LimitPer(l, quota)
	s.intake = append(s.intake, func(ctx context.Context) error { return server.Run(ctx, limited) })
	return nil
}

func (s *Sidecar) bindNotify(c Config, services *registry.Registry) (err error) {
	s.programs, err = sdnotify.New(sdnotify.Config{
		Registry: services, Socket: c.NotifySocket,
		File:      s.bootFile(c, notifyFile, "forget what programs said by notifications"),
		Processes: s.limits.notify, PerUser: s.limits.notifyPerUser, Logger: c.Logger,
	})
	if err != nil {
		return bindError("notify-socket", "unix:"+c.NotifySocket, err)
	}
	s.closers = append(s.closers, s.programs)
	if c.NotifySocket != "" {
		s.addresses = append(s.addresses, "notify_socket", c.NotifySocket)
	}
	s.intake = append(s.intake, s.programs.Run)
	s.turns = append(s.turns, turn{"receiver of notifications", s.programs.Turn})
	return nil
}

// newBFD adds the front end for BFD, which has sessions once a configuration is loaded.
func (s *Sidecar) newBFD(c Config, services *registry.Registry) error {
	file := ""
	if c.File != "" {
		file = s.bootFile(c, bfdFile, "end BFD sessions with peers that send rarely")
	}
	s.bfd = bfd.New(bfd.Config{Source: services, Checkers: s.checkers, File: file, Logger: c.Logger})
	s.own.Refused["bfd"] = s.bfd.Refused
	s.closers = append(s.closers, s.bfd)
	s.frontEnds = append(s.frontEnds, s.bfd.Run)
	return nil
}

func (s *Sidecar) bindAdmin(c Config, services *registry.Registry) error {
	if c.AdminSocket == "" {
		return nil
	}
	l, err := s.listen("unix:"+c.AdminSocket, "operators")
	if err != nil {
		return bindError("admin-socket", "unix:"+c.AdminSocket, err)
	}
	s.closers = append(s.closers, l)
	s.addresses = append(s.addresses, "admin_socket", c.AdminSocket)
	quota := s.byUser(operators, "operators")
	quota.PerClient = operatorsPerUser
	server, limited := admin.New(services, s.syncMembers, c.Logger), socket.LimitPer(l, quota)
	s.intake = append(s.intake, func(ctx context.Context) error { return server.Run(ctx, limited) })
	return nil
}

func (s *Sidecar) bindMonitor(c Config, services *registry.Registry) error {
	if c.Monitor == "" {
		return nil
	}
	server, err := lmp.New(lmp.Config{
		Address:  c.Monitor,
		MaxConns: s.limits.monitor,
		Refusals: s.refusals,
		Keys:     c.MonitorKeys,
		Source:   services,
		Checkers: s.checkers,
		Logger:   c.Logger,
	})
	if err != nil {
		return s.bindError("monitor", c.Monitor, err)
	}
	s.closers = append(s.closers, server)
	s.own.Answers[string(checkers.LMPUDP)], s.own.Answers[string(checkers.LMPTCP)] = server.Answers()
	s.own.Refused["lmp"] = server.Refused
	s.addresses = append(s.addresses, "monitor", server.Addr().String())
	s.frontEnds = append(s.frontEnds, server.Run)
	s.turns = append(s.turns, turn{"UDP server of the monitoring protocol", server.TurnUDP}, turn{"TCP server of the monitoring protocol", server.TurnTCP})
	return nil
}

func (s *Sidecar) bindLine(c Config, services *registry.Registry) error {
	if c.Line == "" {
		return nil
	}
	l, err := s.listen(c.Line, "line clients")
	if err != nil {
		return s.bindError("line", c.Line, err)
	}
	s.closers = append(s.closers, l)
	s.addresses = append(s.addresses, "line", l.Addr().String())
	server := line.New(line.Config{
		Listener: socket.LimitPer(l, s.byAddress(s.limits.line, "line clients")),
		Source:   services,
		Checkers: s.checkers,
	})
	s.own.Answers[string(checkers.Line)] = server.Answers()
	s.own.Refused["line"] = server.Refused
	s.frontEnds = append(s.frontEnds, server.Run)
	return nil
}

func (s *Sidecar) bindGRPC(c Config, services *registry.Registry) error {
	if c.GRPC == "" {
		return nil
	}
	l, err := s.listen(c.GRPC, "gRPC clients")
	if err != nil {
		return s.bindError("grpc", c.GRPC, err)
	}
	s.closers = append(s.closers, l)
	s.addresses = append(s.addresses, "grpc", l.Addr().String())
	server := grpcserver.New(grpcserver.Config{Listeners: []net.Listener{s.limitGRPC(l)}})
	s.own.Answers[string(checkers.GRPCCheck)] = grpchealth.Register(server, grpchealth.Config{Source: services, Checkers: s.checkers})
	s.own.Refused["grpc"] = server.Refused
	grpcstatus.Register(server, grpcstatus.Config{Source: services, Checkers: s.checkers, Earlier: s.recorder.Earlier})
	s.frontEnds = append(s.frontEnds, server.Run)
	return nil
}

func (s *Sidecar) bindHTTP(c Config, services *registry.Registry) error {
	if c.HTTP == "" {
		return nil
	}
	const clients = "HTTP clients"
	l, err := s.listen(c.HTTP, clients)
	if err != nil {
		return s.bindError("http", c.HTTP, err)
	}
	s.closers = append(s.closers, l)
	s.addresses = append(s.addresses, "http", l.Addr().String())
	plots := sampler.New(services)
	host, _ := os.Hostname() // for people; without it, it is not shown
	page := page.New(page.Config{Source: services, Checkers: s.checkers, Evidence: services, Plots: plots, Host: host, Version: c.Version, Earlier: s.recorder.Earlier})
	server, err := web.New(web.Config{
		Listener: socket.LimitPer(l, s.byAddress(s.limits.http, clients)),
		File:     c.WebConfig,
		Source:   services,
		Checkers: s.checkers,
		Starting: services.Starting,
		Page:     page,
		Metrics:  metrics.New(metrics.Config{Source: services, Checkers: s.checkers, Own: s.own, Logger: c.Logger}),
		Logger:   c.Logger,
	})
	if err != nil {
		return fmt.Errorf("-web-config %w", err)
	}
	s.own.Answers[string(checkers.HTTP)], s.own.Refused["http"] = server.Answers(), server.Refused
	s.frontEnds = append(s.frontEnds, server.Run, page.Run, plots.Run)
	return nil
}

func (s *Sidecar) limitGRPC(l net.Listener) net.Listener {
	const clients = "gRPC clients"
	if l.Addr().Network() == "unix" {
		return socket.LimitPer(l, s.byUser(s.limits.grpc, clients))
	}
	return socket.LimitPer(l, s.byAddress(s.limits.grpc, clients))
}

// byUser returns a quota of n connections by user. It logs each connection that is
// closed because of it.
func (s *Sidecar) byUser(n int, name string) socket.Quota[uint32] {
	return socket.QuotaByUser(n, func(uid uint32) { s.refusals.Log(name, fmt.Sprintf("%s of uid %d", name, uid), n) })
}

// byAddress returns a quota of n connections by address. It logs that connections
// are closed because of it, but not their addresses: one host may have very many.
func (s *Sidecar) byAddress(n int, name string) socket.Quota[netip.Prefix] {
	return socket.QuotaByAddress(n, func(netip.Prefix) { s.refusals.Log(name, name, n) })
}

// listen returns a listener at HOST:PORT or unix:PATH that retries when it cannot
// accept. The log calls its connections by the name.
func (s *Sidecar) listen(address, name string) (l net.Listener, err error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		if l, err = net.Listen("tcp", address); err != nil {
			return nil, err
		}
		return s.retryAccept(l.(*net.TCPListener), name), nil
	}
	unix, err := socket.Listen(path)
	if err != nil {
		return nil, err
	}
	s.intake = append(s.intake, func(ctx context.Context) error { return unix.KeepBound(ctx, s.logger) })
	return s.retryAccept(unix, name), nil
}

// retryAccept returns a listener that retries when it cannot accept, and whose loop must
// turn.
func (s *Sidecar) retryAccept(l socket.DeadlineListener, name string) net.Listener {
	retrying := socket.RetryAccept(l, name, s.refusals)
	s.turns = append(s.turns, turn{"listener of " + name, retrying.Turn})
	return retrying
}

// Run runs the sidecar until ctx is done. Then it drains all services for
// Config.DrainOnStop, closes the front ends, then the intake, and returns nil.
// Apart from the drain, stopping changes no answer about a program. Run may be
// called once.
func (s *Sidecar) Run(ctx context.Context) error {
	base, stopIntake := context.WithCancel(context.WithoutCancel(ctx))
	defer stopIntake()
	intake, intakeCtx := errgroup.WithContext(base)
	runClock := func(ctx context.Context) error { return s.clock.Run(ctx, s.host.CaughtUp) }
	s.services.BeginGrace()
	stopMembers, stopJournal := s.writeMembers(), s.writeJournal()
	for _, run := range append(s.intake, runClock) {
		intake.Go(func() error { return run(intakeCtx) })
	}
	// If a front end or the intake fails, all stop.
	frontEnds, frontEndsCtx := errgroup.WithContext(s.afterDrain(ctx))
	for _, run := range append(s.frontEnds, s.checkers.Run, s.forgetCheckers, s.feedWatchdog) {
		frontEnds.Go(func() error { return run(frontEndsCtx) })
	}
	frontEnds.Go(func() error {
		select {
		case <-intakeCtx.Done():
			return intake.Wait()
		case <-frontEndsCtx.Done():
			return nil
		}
	})
	s.logger.Info("landmarkd is ready", s.addresses...)
	s.notify(servicemanager.Ready)
	frontEnds.Go(func() error { s.notifyStopping(ctx, frontEndsCtx); return nil })
	interrupting, stopInterrupts := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInterrupts()
	defer context.AfterFunc(frontEndsCtx, func() { interruptThreads(interrupting) })()
	err := frontEnds.Wait()
	stopIntake()
	err = errors.Join(err, intake.Wait())
	stopMembers()
	stopJournal()
	return errors.Join(err, s.Close())
}

// afterDrain returns a context that is done once ctx is done and all services have
// then been drained for drainFor.
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

// Close closes what New opened. Only a Sidecar that is not run needs it: Run closes
// by itself.
func (s *Sidecar) Close() error {
	var errs []error
	for _, c := range s.closers {
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
