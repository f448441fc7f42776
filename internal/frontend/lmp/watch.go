package lmp

import (
	"bytes"
	"context"
	"errors"
	"net"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

const (
	// defaultKeepAlive is the keep-alive interval when the request gives none.
	defaultKeepAlive = time.Second
	// minKeepAlive is the shortest interval.
	minKeepAlive = 100 * time.Millisecond
)

// errWatchEnded ends a connection whose WATCH ended without a fault of the
// checker's request.
var errWatchEnded = errors.New("the checker does not read, or the server stops")

// changeKey is what must differ for a WATCH to send an answer before the
// keep-alive: all of the frame except its ages, which always differ.
type changeKey struct {
	status   lmp.Status
	cause    lmp.Cause
	weight   uint8
	failing  uint8
	degraded bool
	changes  uint32
}

func changeKeyOf(a *lmp.Answer) changeKey {
	return changeKey{a.Status, a.Cause, a.Weight, a.Failing, a.Degraded, a.Changes}
}

// watch serves a WATCH: it sends the present answer, each change of it, and the
// answer again when no frame was sent for the keep-alive interval. It looks up
// the answer only after the checker read the last frame. So a slow checker gets
// the latest answer, and nothing is queued for it.
//
// It returns nil when the checker's next frame is there, which ends the WATCH,
// but not before one answer was sent. Any other end closes the connection, and
// the error says why. watch and next never use frames at the same time.
func (s *Server) watch(ctx context.Context, conn net.Conn, frames *frameReader, q lmp.Request, key *lmp.Key, out *[]byte) error {
	q.Service = bytes.Clone(q.Service) // reading the next frame overwrites it
	// Subscribe before the first lookup, so that no change is missed.
	sub := s.config.Source.Subscribe(q.Service)
	defer sub.Close()
	checker := s.config.Checkers.Watch(checkers.Checker{From: checkers.AddressOf(conn.RemoteAddr()), Via: checkers.LMPWatch})
	defer checker.End()
	nextFrame := make(chan error, 1)
	go func() {
		_, err := frames.await(ctx, 0)
		nextFrame <- err
	}()
	interval := keepAlive(q)
	due := time.NewTimer(interval)
	defer due.Stop()
	var last changeKey
	var notTimed frontend.Timing
	for resend := true; ; {
		// Each frame waits until its answer is final, as any other answer does.
		a, ok := s.await(ctx, conn, q.Service, registry.AnyAge, out, &notTimed)
		if ok {
			checker.Record(frontend.CheckOf(q.Service, &a))
			answer := translate(q, &a)
			if now := changeKeyOf(&answer); resend || now != last {
				last = now
				*out = lmp.AppendAnswer(*out, &answer, lmp.MaxLength, key)
				ok = flush(ctx, conn, out)
				due.Reset(interval)
			}
		}
		if !ok {
			conn.Close() // ends the read
			<-nextFrame
			return errWatchEnded
		}
		select {
		case <-sub.Changed():
			resend = false
		case <-due.C:
			resend = true // though it has not changed
		case err := <-nextFrame:
			return err
		}
	}
}

// keepAlive returns the longest time between two frames.
func keepAlive(q lmp.Request) time.Duration {
	if q.MaxAge == 0 {
		return defaultKeepAlive
	}
	return max(q.MaxAge, minKeepAlive)
}
