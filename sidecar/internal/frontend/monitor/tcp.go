package monitor

import (
	"context"
	"errors"
	"net"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/sidecar/internal/streams"
)

// serveStreams answers requests over TCP until ctx is done.
func (s *Server) serveStreams(ctx context.Context) error {
	streams.Serve(ctx, s.tcp, s.serveStream)
	return nil
}

// serveStream answers the requests of one connection in their order, until the
// asker has no more, breaks the rules, or ctx is done.
func (s *Server) serveStream(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer streams.Follow(ctx, conn)()
	frames := newFrameReader(conn)
	var out []byte
	for {
		if !frames.ready() && !flush(ctx, conn, &out) {
			return
		}
		frame, err := frames.next(ctx)
		if err != nil {
			s.refuseStream(err)
			break
		}
		q, key, err := s.parse(frame)
		if err == nil && q.Kind == lmp.KindWatch {
			err = errUnsupported
		}
		if err != nil {
			s.refuseStream(err)
			break
		}
		a, settled := s.config.Source.Look(q.Service, q.MaxAge)
		if !settled {
			if !flush(ctx, conn, &out) {
				return
			}
			if a, err = s.config.Source.Ask(ctx, q.Service, q.MaxAge); err != nil {
				return
			}
		}
		answer := translate(q, &a)
		out = lmp.AppendAnswer(out, &answer, lmp.MaxLength, key)
		if len(out) >= lmp.MaxLength && !flush(ctx, conn, &out) {
			return
		}
	}
	flush(ctx, conn, &out) // what was asked before the end is answered
}

var errUnsupported = errors.New("kind of request not supported")

// refuseStream counts why a connection is closed on its asker, if it is.
func (s *Server) refuseStream(err error) {
	switch {
	case errors.Is(err, errUnsupported):
		s.refusals.count(unsupported)
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
	err := streams.Write(ctx, conn, *out)
	*out = (*out)[:0]
	if cap(*out) > smallBuffer {
		*out = nil // nobody knows when there will be another that long
	}
	return err == nil
}
