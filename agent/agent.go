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

// closeTimeout bounds how long Close waits for the sidecar.
const closeTimeout = time.Second

// An Agent carries a set of landmarks to the sidecar, from Start to Close.
type Agent struct {
	service  string
	instance string
	logs     *logQueue
	logger   *slog.Logger // of logs
	dial     dialer
	reporter *reporter

	release   func()             // its identity; nil if it has none
	goodbye   context.CancelFunc // begins the end
	abort     context.CancelFunc // ends it
	ended     <-chan struct{}    // it was ended
	running   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Start begins to carry cfg.Landmarks to the sidecar and returns at once: it
// does not wait for a sidecar to be there. The error names the field of cfg to
// mend, or the landmark. A process has one agent for a service, until Close,
// or several with an Instance each.
func Start(cfg Config) (*Agent, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	id := identity{cfg.Socket, cfg.Service, cfg.Instance}
	if err := id.take(); err != nil {
		return nil, fmt.Errorf("agent: Instance: %w", err)
	}
	a := start(cfg, unixDialer(cfg.Socket), hostclock.Own())
	a.release = id.release
	return a, nil
}

// start starts an agent with a complete configuration.
func start(cfg Config, dial dialer, clock hostclock.Clock) *Agent {
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
	ctx, abort := context.WithCancel(context.Background())
	closing, goodbye := context.WithCancel(ctx)
	a.abort, a.goodbye, a.ended = abort, goodbye, ctx.Done()
	a.running.Go(func() { a.reporter.run(closing) })
	a.running.Go(func() { a.run(ctx, closing) })
	return a
}

// Drain tells the sidecar, at once and on each new connection, that the program
// wants no new work: it is taken out, stays alive, and its connections are left
// to finish. It never blocks.
//
// A program that is to stop drains, waits for as long as its balancers take to
// notice, finishes what it has, and calls [Agent.Close].
func (a *Agent) Drain() { a.reporter.drain(true) }

// Resume takes Drain back.
func (a *Agent) Resume() { a.reporter.drain(false) }

// Close tells the sidecar that the program stops of its own will, so that it is
// not taken for lost, and ends the agent's goroutines, those on which landmarks
// are asked included. It takes at most 1 s, and returns an error if the sidecar
// did not take the goodbye in that time; a function or log handler of the
// program's that has not returned by then is left to itself. Where there is no connection there is
// nothing to say. Only the first call counts.
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

// awaitLogs waits until the log has taken every record, until ended is done.
func (a *Agent) awaitLogs() {
	select {
	case <-a.logs.ended:
	case <-a.ended:
	}
}

// awaitCalls waits for the program's functions, until ended is done.
func (a *Agent) awaitCalls() {
	returned := make(chan struct{})
	go func() { defer close(returned); a.reporter.calls.Wait() }()
	select {
	case <-returned:
	case <-a.ended:
	}
}

// run keeps a stream to the sidecar standing until closing is done, or another
// process takes this one's place.
func (a *Agent) run(ctx, closing context.Context) {
	defer a.goodbye() // without a stream to come the reporter has no work
	var dialling backoff
	var cause string // of the last ending that was logged
	for {
		end := a.connect(ctx, closing)
		if closing.Err() != nil {
			a.closeErr = end.farewell()
			return
		}
		if end.stood >= establishedAfter {
			dialling.established()
			cause = ""
		}
		if end.err.Error() != cause {
			cause = end.err.Error()
			a.log(end.err)
		}
		delay := dialling.delay()
		switch {
		case replaced(end.err):
			return
		case refused(end.err):
			delay = jittered(refusedDelay)
		}
		select {
		case <-time.After(delay):
		case <-closing.Done():
			return
		}
	}
}

// log says why there is no stream, and what becomes of it.
func (a *Agent) log(err error) {
	switch {
	case replaced(err):
		a.logger.Error("another process took this instance's place, so this one reports no more; "+
			"give each process an instance name of its own and start it again", "err", err)
	case refused(err):
		a.logger.Error("the sidecar refuses this program; mend the cause, the agent asks again every 5 s", "err", err)
	default:
		a.logger.Warn("not connected to the sidecar; dialling until it answers", "err", err)
	}
}

// replaced tells that a newer session of this instance name took the place.
func replaced(err error) bool { return status.Code(err) == codes.Aborted }

// refused tells that the sidecar will not have this program as it is.
func refused(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.ResourceExhausted,
		codes.Unauthenticated, codes.Unimplemented:
		return true
	}
	return false
}

// farewell returns what Close has to say about the end.
func (e ending) farewell() error {
	if !e.opened || errors.Is(e.err, io.EOF) {
		return nil
	}
	return fmt.Errorf("agent: saying goodbye to the sidecar, which may take the program for lost: %w", e.err)
}
