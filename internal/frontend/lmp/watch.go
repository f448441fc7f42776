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
	// defaultKeepAlive is how often a checker of a WATCH hears that nothing
	// has changed, if it does not say, and
	defaultKeepAlive = time.Second
	// leastKeepAlive the most often that it may.
	leastKeepAlive = 100 * time.Millisecond
)

// errWatchEnded is that a WATCH ended, and its connection with it, for no
// fault in what the checker sent.
var errWatchEnded = errors.New("the checker takes no more answers, or the server stops")

// essence is what has to differ for a checker of a WATCH to be told before the
// keep-alive: all of the frame but its ages, which always do.
type essence struct {
	status   lmp.Status
	cause    lmp.Cause
	weight   uint8
	failing  uint8
	degraded bool
	changes  uint32
}

func essenceOf(a *lmp.Answer) essence {
	return essence{a.Status, a.Cause, a.Weight, a.Failing, a.Degraded, a.Changes}
}

// watch tells the checker of a WATCH the present answer, each change of it, and
// the same again whenever keepAlive has passed without a frame. It looks only
// when the frame before was taken, so that a slow checker is told the latest and
// nothing is queued for it.
//
// It returns nil once the checker's next frame has come, which so ends the WATCH,
// after one answer at the least; and else why the connection is to be closed.
// It and next are never at work on frames at once.
func (s *Server) watch(ctx context.Context, conn net.Conn, frames *frameReader, q lmp.Request, key *lmp.Key, out *[]byte) error {
	q.Service = bytes.Clone(q.Service) // the frame's buffer is about to be read into again
	// Subscribed to before the first look, lest a change fall between.
	sub := s.config.Source.Subscribe(q.Service)
	defer sub.Close()
	checker := s.config.Checkers.Watch(checkers.Checker{From: checkers.AddressOf(conn.RemoteAddr()), Via: checkers.LMPWatch})
	defer checker.End()
	came := make(chan error, 1)
	go func() {
		_, err := frames.await(ctx, 0)
		came <- err
	}()
	interval := keepAlive(q)
	due := time.NewTimer(interval)
	defer due.Stop()
	var last essence
	for again := true; ; {
		// Each frame is held until it is settled, as any other answer is.
		a, ok := s.settle(ctx, conn, q.Service, registry.AnyAge, out)
		if ok {
			checker.Record(frontend.CheckOf(q.Service, &a))
			answer := translate(q, &a)
			if now := essenceOf(&answer); again || now != last {
				last = now
				*out = lmp.AppendAnswer(*out, &answer, lmp.MaxLength, key)
				ok = flush(ctx, conn, out)
				due.Reset(interval)
			}
		}
		if !ok {
			conn.Close() // ends the read
			<-came
			return errWatchEnded
		}
		select {
		case <-sub.Changed():
			again = false
		case <-due.C:
			again = true
		case err := <-came:
			return err
		}
	}
}

// keepAlive is how long after a frame the next one comes, whatever happens.
func keepAlive(q lmp.Request) time.Duration {
	if q.MaxAge == 0 {
		return defaultKeepAlive
	}
	return max(q.MaxAge, leastKeepAlive)
}
