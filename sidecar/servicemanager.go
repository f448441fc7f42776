package sidecar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/servicemanager"
	"github.com/landmark-health/landmark/internal/sleep"
)

// A turn is a loop of the sidecar's own that must turn for the sidecar to answer.
type turn struct {
	name string
	run  func(context.Context) error // returns once the loop has turned, or when ctx is done
}

// notify sends the lines to the service manager, if there is one.
func (s *Sidecar) notify(lines ...string) {
	if err := s.manager.Send(lines...); err != nil {
		s.logger.Warn("the service manager does not know the state of landmarkd", "err", err)
	}
}

// connectServiceManager reads from the environment what the service manager expects.
func (s *Sidecar) connectServiceManager() {
	manager, err := servicemanager.FromEnvironment()
	watchdog, watchdogErr := servicemanager.WatchdogTimeout()
	if err := errors.Join(err, watchdogErr); err != nil {
		s.logger.Error("cannot report to the service manager", "err", err)
		return
	}
	s.manager, s.watchdog = manager, watchdog
}

// notifyReloading sends that a reload begins. The caller sends its end.
func (s *Sidecar) notifyReloading() {
	if s.manager == nil {
		return
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		s.logger.Error("cannot read the clock for the service manager", "err", err)
		return
	}
	s.notify(servicemanager.Reloading(uint64(now.Nano() / 1000))...)
}

// notifyReloaded sends that a reload has ended, and why it changed nothing if err is not
// nil.
func (s *Sidecar) notifyReloaded(err error) {
	status := ""
	if err != nil {
		status = "the new configuration is wrong, so the old one stays: " + err.Error()
	}
	s.notify(servicemanager.Ready, servicemanager.Status(status))
}

// notifyStopping sends that the sidecar stops, once ctx or ended is done.
func (s *Sidecar) notifyStopping(ctx, ended context.Context) {
	select {
	case <-ctx.Done():
	case <-ended.Done():
	}
	status := ""
	if s.drainFor > 0 {
		status = fmt.Sprintf("draining all services for %v before stopping", s.drainFor)
	}
	s.notify(servicemanager.Stopping, servicemanager.Status(status))
}

// feedWatchdog sends WATCHDOG=1 twice in each timeout of the service manager, each time
// only once every loop has turned, until ctx is done.
func (s *Sidecar) feedWatchdog(ctx context.Context) error {
	if s.manager == nil || s.watchdog == 0 {
		return nil
	}
	interval, failed := s.watchdog/2, false
	for sleep.For(ctx, interval) {
		err := s.turn(ctx, interval)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			failed = true
			s.logger.Error("landmarkd hangs", "err", err)
			s.notify(servicemanager.Status(err.Error()))
		case failed:
			failed = false
			s.notify(servicemanager.Watchdog, servicemanager.Status(""))
		default:
			s.notify(servicemanager.Watchdog)
		}
	}
	return nil
}

// turn returns once every loop has turned, or an error that names the one that has not
// within the limit. A lock that is never released makes it hang.
func (s *Sidecar) turn(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, t := range s.turns {
		err := t.run(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("the %s does not work: it did not answer within %v", t.name, limit)
		}
		if err != nil {
			return fmt.Errorf("the %s does not work: %w", t.name, err)
		}
	}
	return nil
}
