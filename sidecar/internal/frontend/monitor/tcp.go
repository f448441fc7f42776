package monitor

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

const (
	// frameTimeout is how long a begun frame may take to come whole, and an
	// answer to be taken.
	frameTimeout = 5 * time.Second
	// idleTimeout is how long a connection may have nothing to ask.
	idleTimeout = 5 * time.Minute
)

// serveStreams answers requests over TCP until ctx is done.
func (s *Server) serveStreams(ctx context.Context) error {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := s.tcp.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			// Out of descriptors, most likely: trying at once would spin.
			if !pause(ctx, 50*time.Millisecond) {
				return nil
			}
			continue
		}
		open.Go(func() { s.serveStream(ctx, conn) })
	}
}

// pause waits for d, and reports whether ctx was not done before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// serveStream answers the requests of one connection in their order, until the
// asker has no more, breaks the rules, or ctx is done.
func (s *Server) serveStream(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	// Whatever it waits for, the end of ctx ends it.
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(0, 0)) })()
	frames := newFrameReader(conn)
	var out []byte
	for {
		if !frames.ready() && !flush(ctx, conn, &out) {
			return
		}
		frame, err := frames.next(ctx, idleTimeout)
		if err != nil {
			s.refuseStream(err)
			break
		}
		q, key, err := s.parse(frame)
		if err != nil {
			s.refuseStream(err)
			break
		}
		if q.Kind == lmp.KindWatch {
			if err := s.watch(ctx, conn, frames, q, key, &out); err != nil {
				s.refuseStream(err)
				return
			}
			continue
		}
		a, ok := s.settle(ctx, conn, q.Service, q.MaxAge, &out)
		if !ok {
			return
		}
		answer := translate(q, &a)
		out = lmp.AppendAnswer(out, &answer, lmp.MaxLength, key)
		if len(out) >= lmp.MaxLength && !flush(ctx, conn, &out) {
			return
		}
	}
	flush(ctx, conn, &out) // what was asked before the end is answered
}

// settle returns what is told of the name. Where that has to be waited for, the
// answers made so far go out before. There is none if the asker does not take
// those, or ctx is done.
func (s *Server) settle(ctx context.Context, conn net.Conn, name []byte, maxAge time.Duration, out *[]byte) (a registry.Answer, ok bool) {
	a, settled := s.config.Source.Look(name, maxAge)
	if settled {
		return a, true
	}
	if !flush(ctx, conn, out) {
		return a, false
	}
	a, err := s.config.Source.Ask(ctx, name, maxAge)
	return a, err == nil
}

// refuseStream counts why a connection is closed on its asker, if it is.
func (s *Server) refuseStream(err error) {
	switch {
	case errors.Is(err, errUnfinished):
		s.refusals.count(unfinished)
	case errors.Is(err, lmp.ErrMalformed), errors.Is(err, lmp.ErrUnauthenticated):
		s.refusals.countError(err)
	}
}

// flush sends the answers made so far, and reports whether the asker took
// them.
func flush(ctx context.Context, conn net.Conn, out *[]byte) bool {
	if len(*out) == 0 {
		return true
	}
	conn.SetWriteDeadline(time.Now().Add(frameTimeout))
	if ctx.Err() != nil { // it may just have put off the deadline that ctx's end set
		return false
	}
	_, err := conn.Write(*out)
	*out = (*out)[:0]
	if cap(*out) > smallBuffer {
		*out = nil // nobody knows when there will be another that long
	}
	return err == nil
}
