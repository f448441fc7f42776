package lmp

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/lmp"
)

// serveStreams answers requests over TCP until ctx is done.
func (s *Server) serveStreams(ctx context.Context) error {
	socket.Serve(ctx, s.tcp, s.serveStream)
	return nil
}

// serveStream answers the requests of one connection in their order, until the
// checker has no more, breaks the rules, or ctx is done.
func (s *Server) serveStream(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer socket.InterruptOnDone(ctx, conn)()
	frames, checker := newFrameReader(conn, s.large), checkers.Checker{From: checkers.AddressOf(conn.RemoteAddr()), Via: checkers.LMPTCP}
	defer frames.close()
	var out []byte
	for {
		if !frames.ready() && !flush(ctx, conn, &out) {
			return
		}
		frame, err := frames.next(ctx, socket.IdleTimeout)
		if err != nil {
			s.refuseStream(err)
			break
		}
		q, key, err := s.parse(frame)
		if err != nil {
			s.refuseStream(err)
			break
		}
		socket.MarkProven(conn)
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
		frontend.Record(s.config.Checkers, checker, q.Service, &a)
		if q.Kind == lmp.KindDescribe {
			if !s.describe(ctx, conn, q, &a, key, &out) {
				return
			}
			continue
		}
		answer := translate(q, &a)
		out = lmp.AppendAnswer(out, &answer, lmp.MaxLength, key)
		if len(out) >= fullBuffer && !flush(ctx, conn, &out) {
			return
		}
	}
	flush(ctx, conn, &out) // what was asked before the end is answered
}

// describe sends the answers made so far, and the answer to a DESCRIBE. It is cut
// short, as over UDP, while there are too many large frames: whoever holds those must
// not keep it from others.
func (s *Server) describe(ctx context.Context, conn net.Conn, q lmp.Request, a *registry.Answer, key *lmp.Key, out *[]byte) bool {
	limit := smallBuffer
	if s.large.take() {
		defer s.large.give()
		limit = lmp.MaxLength
	}
	answer := translate(q, a)
	*out = lmp.AppendAnswer(*out, &answer, limit, key)
	return flush(ctx, conn, out)
}

// settle returns what is told of the name. Where that has to be waited for, the
// answers made so far go out before. There is none if the checker does not take
// those, or ctx is done.
func (s *Server) settle(ctx context.Context, conn net.Conn, name []byte, maxAge time.Duration, out *[]byte) (a registry.Answer, ok bool) {
	a, settled := s.config.Source.Lookup(name, maxAge)
	if settled {
		return a, true
	}
	if !flush(ctx, conn, out) {
		return a, false
	}
	a, err := s.config.Source.Await(ctx, name, maxAge)
	return a, err == nil
}

// refuseStream counts why a connection is closed on its checker, if it is.
func (s *Server) refuseStream(err error) {
	switch {
	case errors.Is(err, errUnfinished):
		s.refusals.count(unfinished)
	case errors.Is(err, errCrowded):
		s.refusals.count(crowded)
	case errors.Is(err, lmp.ErrMalformed), errors.Is(err, lmp.ErrUnauthenticated):
		s.refusals.countError(err)
	}
}

// flush sends the answers made so far, and reports whether the checker took
// them.
func flush(ctx context.Context, conn net.Conn, out *[]byte) bool {
	if len(*out) == 0 {
		return true
	}
	err := socket.Write(ctx, conn, *out)
	*out = (*out)[:0]
	if cap(*out) > smallBuffer {
		*out = nil // nobody knows when there will be another that long
	}
	return err == nil
}
