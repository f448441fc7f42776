package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/servicemanager"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

const (
	// silence is how long a target may send nothing before it is out.
	silence = 3 * time.Second
	// keepAlive is how often a landmarkd repeats an unchanged answer. Silence counts from
	// the last answer, so a long interval leaves less time for a restart.
	keepAlive = 100 * time.Millisecond
)

// watch keeps the track files of all targets up to date until ctx is done, and then leaves
// them as they are.
func watch(ctx context.Context, o options, logger *slog.Logger) error {
	if err := checkOpenFiles(o.targets); err != nil {
		return err
	}
	unlock, err := lock(o.dir)
	if err != nil {
		return err
	}
	defer unlock()
	// If one target cannot be watched, all end: a single one would be overlooked.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	var pending atomic.Int64 // files without a value of this process
	pending.Store(int64(len(o.targets)))
	first := func() {
		if pending.Add(-1) == 0 {
			ready(logger)
		}
	}
	for _, t := range o.targets {
		log := logger.With("target", t.name)
		s := newFileSync(newTrackFile(o.dir, t.name), log)
		running.Go(func() { s.run(ctx, first) })
		running.Go(func() {
			if err := t.watch(ctx, o.key, s, log); ctx.Err() == nil {
				stop(fmt.Errorf("target %s: %w", t.name, err))
			}
		})
	}
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// watch sets the file to the value of each update, and logs each change of the status.
func (t target) watch(ctx context.Context, key *lmp.Key, s *fileSync, log *slog.Logger) error {
	req := probe.WatchRequest{Address: t.address, Service: t.service, KeepAlive: keepAlive, Silence: silence, Key: key}
	lastStatus, lastValue := "", 1 // no value is more than 0
	return probe.Watch(ctx, req, func(u probe.Update) {
		v := value(u, t.weight)
		if v != lastValue { // run repeats an unchanged value by itself
			lastValue = v
			s.set(v)
		}
		switch status := statusOf(u); {
		case status == lastStatus:
		case u.Err != nil:
			lastStatus = status
			log.Warn("the target is silent", "value", v, "err", u.Err)
		default:
			lastStatus = status
			log.Info("the target is "+status, "value", v)
		}
	})
}

// statusOf returns the status of an update for the log. It has no weight and no reason,
// which change too often.
func statusOf(u probe.Update) string {
	switch {
	case u.Err != nil:
		return "silent"
	case u.Answer.Status == lmp.StatusUnknownService:
		return "an unknown service"
	case u.Answer.Cause == lmp.CauseNone:
		return u.Answer.Status.String()
	}
	return fmt.Sprintf("%v, %v", u.Answer.Status, u.Answer.Cause)
}

// ready logs that every file is up to date, and notifies systemd. That takes no longer
// than the silence, if all files can be written.
func ready(logger *slog.Logger) {
	logger.Info("landmark-watch is ready")
	if err := notifyReady(); err != nil {
		logger.Error("cannot notify systemd", "err", err)
	}
}

// notifyReady sends READY=1 to systemd if it started the program with Type=notify.
func notifyReady() error {
	manager, err := servicemanager.FromEnvironment()
	if err != nil {
		return err
	}
	return manager.Send(servicemanager.Ready)
}
