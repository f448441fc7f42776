package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/hostclock"
)

// closeTimeout is how long Close waits for the sidecar.
const closeTimeout = time.Second

// An Agent reports a set of landmarks to the sidecar, from Start to Close.
type Agent struct {
	service  string
	instance string
	logs     *logQueue
	logger   *slog.Logger // writes to logs
	dial     dialer
	reporter *reporter

	release   func()             // what it has of the process alone; nil if nothing
	goodbye   context.CancelFunc // starts closing
	abort     context.CancelFunc // ends everything at once
	aborted   <-chan struct{}    // closed by abort
	running   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Start starts to report cfg.Landmarks to the sidecar and returns at once. It does
// not wait for a sidecar. The error names the field of cfg, or the landmark, that
// is wrong. A process has one agent for each service, until Close, or several with
// different Instances.
func Start(cfg Config) (*Agent, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	id := identity{cfg.Socket, cfg.Service, cfg.Instance}
	if err := id.acquire(); err != nil {
		return nil, fmt.Errorf("agent: Instance: %w", err)
	}
	if cfg.ServiceManager {
		if err := acquireServiceManager(); err != nil {
			id.release()
			return nil, fmt.Errorf("agent: ServiceManager: %w", err)
		}
	}
	a := start(cfg, unixDialer(cfg.Socket), hostclock.Own())
	a.release = func() {
		id.release()
		if cfg.ServiceManager {
			releaseServiceManager()
		}
	}
	return a, nil
}

// start starts an agent with a complete configuration.
func start(cfg Config, dial dialer, clock hostclock.Clock) *Agent {
	a := newAgent(cfg, dial, clock)
	if cfg.ServiceManager {
		a.reporter.manager = newManagerReport(a.logger)
	}
	a.start()
	return a
}

// newAgent returns an agent that is not started.
func newAgent(cfg Config, dial dialer, clock hostclock.Clock) *Agent {
	logs := newLogQueue()
	logger := slog.New(logs.handler(cfg.Logger.Handler())).
		With("service", cfg.Service, "instance", cfg.Instance, "socket", cfg.Socket)
	a := &Agent{
		service:  cfg.Service,
		instance: cfg.Instance,
		logs:     logs,
		logger:   logger,
		dial:     dial,
		reporter: newReporter(cfg.Landmarks, logger),
	}
	a.reporter.clock = clock
	if !cfg.NoStacks {
		a.reporter.stacks = newStackWatch()
	}
	return a
}

func (a *Agent) start() {
	ctx, abort := context.WithCancel(context.Background())
	closing, goodbye := context.WithCancel(ctx)
	a.abort, a.goodbye, a.aborted = abort, goodbye, ctx.Done()
	a.running.Go(func() { a.reporter.run(closing) })
	a.running.Go(func() { a.run(ctx, closing) })
}

// Drain reports, at once and on each new connection, that the program wants no
// new work. The service is then not ready, but stays alive, and its connections
// may finish. Drain never blocks.
//
// To stop a program, call Drain, wait until the balancers have noticed, finish the
// open work, and call [Agent.Close]. Do not wait on the main loop, which must keep
// answering meanwhile, or it is stalled.
func (a *Agent) Drain() { a.reporter.setDraining(true) }

// Resume ends Drain.
func (a *Agent) Resume() { a.reporter.setDraining(false) }

// Close reports to landmarkd that the program stops on purpose, and ends the agent's
// goroutines, including those that call the program's functions. Without it,
// landmarkd treats the program's exit as a crash.
//
// Close takes at most 1 s. It returns an error if landmarkd did not confirm the
// goodbye in that time. Without a connection there is no goodbye and no error. A
// function or log handler of the program that does not return in time is left
// running. Only the first call has an effect.
func (a *Agent) Close() error {
	a.closeOnce.Do(func() {
		if a.release != nil {
			a.release()
		}
		a.goodbye()
		defer time.AfterFunc(closeTimeout, a.abort).Stop()
		a.running.Wait()
		a.logs.close()
		a.awaitCalls()
		a.awaitLogs()
		a.abort()
	})
	return a.closeErr
}

// awaitLogs waits until every record is logged, or the agent is aborted.
func (a *Agent) awaitLogs() {
	select {
	case <-a.logs.ended:
	case <-a.aborted:
	}
}

// awaitCalls waits until the program's functions return, or the agent is aborted.
func (a *Agent) awaitCalls() {
	returned := make(chan struct{})
	go func() { defer close(returned); a.reporter.calls.Wait() }()
	select {
	case <-returned:
	case <-a.aborted:
	}
}

// run keeps a stream to the sidecar open until closing is done, or another process
// replaces this one.
func (a *Agent) run(ctx, closing context.Context) {
	if a.reporter.manager == nil {
		defer a.goodbye() // without a stream the reporter has no work
	}
	var redial backoff
	var logged string // the latest error
	for {
		result := a.connect(ctx, closing)
		if closing.Err() != nil {
			a.closeErr = result.closeError()
			return
		}
		if result.uptime >= establishedAfter {
			redial.established()
			logged = ""
		}
		if result.err.Error() != logged {
			logged = result.err.Error()
			a.log(result.err)
		}
		delay := redial.delay()
		switch {
		case replaced(result.err):
			return
		case refused(result.err):
			delay = jittered(refusedDelay)
		}
		select {
		case <-time.After(delay):
		case <-closing.Done():
			return
		}
	}
}

// log logs why there is no stream, and what happens next.
func (a *Agent) log(err error) {
	why := status.Convert(err).Message() // without gRPC's prefix
	switch {
	case replaced(err):
		a.logger.Error("another process replaced this instance, so this one no longer reports; "+
			"give each process its own instance name and restart this one", "err", why)
	case refused(err):
		a.logger.Error("landmarkd refused this program; retrying every 5 s", "err", why)
	default:
		a.logger.Warn("not connected to landmarkd; retrying; start it, or set LANDMARK_SOCKET to its -agent-socket", "err", why)
	}
}

// replaced reports whether a newer session of the same instance name replaced this
// one.
func replaced(err error) bool { return status.Code(err) == codes.Aborted }

// refused reports whether the sidecar refuses this program until a person changes
// something.
func refused(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.ResourceExhausted,
		codes.Unauthenticated, codes.Unimplemented:
		return true
	}
	return false
}

// closeError returns the error of Close after the last stream.
func (r streamResult) closeError() error {
	if !r.opened || errors.Is(r.err, io.EOF) {
		return nil
	}
	return fmt.Errorf("agent: landmarkd did not confirm the goodbye, so it may treat the exit as a crash: %w", r.err)
}
