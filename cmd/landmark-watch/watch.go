package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

const (
	// silence is how long nothing may be heard of a target before it is out.
	silence = 3 * time.Second
	// keepAlive is how often a sidecar is to tell that nothing has changed. The
	// silence begins with the last of these: were they seldom, a restart of the
	// sidecar would have that much less of it.
	keepAlive = 100 * time.Millisecond
)

// watch keeps the track files of all targets until ctx is done, and then leaves
// them as they are.
func watch(ctx context.Context, o options, logger *slog.Logger) error {
	if err := checkDescriptors(o.targets); err != nil {
		return err
	}
	unlock, err := lock(o.dir)
	if err != nil {
		return err
	}
	defer unlock()
	// One target that cannot be watched ends the rest, rather than be forgotten.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var working sync.WaitGroup
	var untrue atomic.Int64 // files that were not yet written, or found true
	untrue.Store(int64(len(o.targets)))
	first := func() {
		if untrue.Add(-1) == 0 {
			ready(logger)
		}
	}
	for _, t := range o.targets {
		log := logger.With("target", t.name)
		k := newKeeper(newTrackFile(o.dir, t.name), log)
		working.Go(func() { k.run(ctx, first) })
		working.Go(func() {
			if err := t.watch(ctx, o.key, k, log); ctx.Err() == nil {
				stop(fmt.Errorf("target %s: %w", t.name, err))
			}
		})
	}
	working.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ready tells that every file has been true once: within the silence, if not before
// and if all can be written.
func ready(logger *slog.Logger) {
	logger.Info("landmark-watch is ready")
	if err := notifyReady(); err != nil {
		logger.Error("systemd cannot be told so", "err", err)
	}
}

// watch has the keeper want what is heard of the target, and the log told of each
// change of that.
func (t target) watch(ctx context.Context, key *lmp.Key, k *keeper, log *slog.Logger) error {
	req := probe.WatchRequest{Address: t.address, Service: t.service, KeepAlive: keepAlive, Silence: silence, Key: key}
	last, wanted := "", 1 // no value is more than 0
	return probe.Watch(ctx, req, func(u probe.Update) {
		v := value(u, t.weight)
		if v != wanted { // to what is wanted already the keeper sees by itself
			wanted = v
			k.want(v)
		}
		switch word := wordOf(u); {
		case word == last:
		case u.Err != nil:
			last = word
			log.Warn("the target is silent", "value", v, "err", u.Err)
		default:
			last = word
			log.Info("the target is "+word, "value", v)
		}
	})
}

// wordOf is what a person is told of an update, weights and reasons apart, which
// change too often.
func wordOf(u probe.Update) string {
	switch {
	case u.Err != nil:
		return "silent"
	case u.Answer.Cause == lmp.CauseNone || u.Answer.Status == lmp.StatusUnknownService:
		return u.Answer.Status.String()
	}
	return fmt.Sprintf("%v, %v", u.Answer.Status, u.Answer.Cause)
}
