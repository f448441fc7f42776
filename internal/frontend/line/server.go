package line

import (
	"context"
	"errors"
	"net"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/socket"
)

// Server answers lines.
type Server struct {
	source   frontend.Source
	checkers frontend.Checkers
}

// New returns a server that tells what the source does, and has the checkers
// remembered.
func New(source frontend.Source, checkers frontend.Checkers) *Server {
	return &Server{source, checkers}
}

// Run answers on each connection that comes to l, until ctx is done, then
// closes l and returns nil. A question still being waited for then gets no
// answer.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	socket.Serve(ctx, l, s.serve)
	return nil
}

// serve answers the lines of one connection in their order, until the checker has
// no more or is too slow, or ctx is done. That a connection is reset, as HAProxy
// does with each, is no news.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer socket.InterruptOnDone(ctx, conn)()
	lines, checker := reader{conn: conn}, checkers.Checker{From: checkers.AddressOf(conn.RemoteAddr()), Via: checkers.Line}
	for {
		line, err := lines.next(ctx)
		if errors.Is(err, errTooLong) {
			socket.Write(ctx, conn, []byte(usage))
			return
		}
		if err != nil {
			return
		}
		socket.MarkProven(conn)
		answer, err := s.answer(ctx, line, checker)
		if err != nil || socket.Write(ctx, conn, []byte(answer)) != nil {
			return
		}
	}
}

// answer returns the line that answers one of the checker's, or ctx's error.
func (s *Server) answer(ctx context.Context, line []byte, checker checkers.Checker) (string, error) {
	translate, name, ok := parse(line)
	if !ok {
		return usage, nil
	}
	a, settled := s.source.Lookup(name, 0)
	if !settled {
		var err error
		if a, err = s.source.Await(ctx, name, 0); err != nil {
			return "", err
		}
	}
	frontend.Record(s.checkers, checker, name, &a)
	return translate(a) + "\n", nil
}
