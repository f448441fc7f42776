// Package line is the front end for checkers that can only send text: it speaks
// the line protocol of docs/line.md, and HAProxy's agent-check, over TCP.
package line

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// usage answers a line that is no request. It begins with FAIL, which HAProxy
// treats as down: after a word that it does not know, HAProxy would keep the
// last state.
const usage = "FAIL # not understood; write: check NAME, or for HAProxy's agent-check: agent NAME\n"

// Config configures a Server.
type Config struct {
	Listener net.Listener      // to serve on; Run closes it
	Source   frontend.Source   // gives the answers
	Checkers frontend.Checkers // records who received them
}

// Server answers lines.
type Server struct {
	config     Config
	answers    frontend.Answers
	malformed  atomic.Uint64 // lines that are no request
	overloaded atomic.Uint64 // requests without an answer, because too many waited
}

// New returns a server.
func New(c Config) *Server { return &Server{config: c} }

// Answers returns the answers to requests.
func (s *Server) Answers() *frontend.Answers { return &s.answers }

// Refused yields the reasons for which lines are not answered with a verdict, and how
// many were not.
func (s *Server) Refused(yield func(reason string, n uint64) bool) {
	_ = yield("malformed", s.malformed.Load()) && yield("overloaded", s.overloaded.Load())
}

// Run serves until ctx is done, then closes the listener and returns nil. A
// request that still waits then gets no answer.
func (s *Server) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { s.config.Listener.Close() })()
	socket.Serve(ctx, s.config.Listener, s.serveConn)
	return nil
}

// serveConn answers the lines of one connection in order, until the checker
// closes its side or is too slow, or ctx is done. It ignores resets: HAProxy
// resets each of its connections.
func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer socket.InterruptOnDone(ctx, conn)()
	lines := lineReader{conn: conn}
	checker := checkers.Checker{From: checkers.AddressOf(conn.RemoteAddr()), Via: checkers.Line}
	for {
		line, err := lines.next(ctx)
		if errors.Is(err, errTooLong) {
			s.malformed.Add(1)
			socket.Write(ctx, conn, []byte(usage))
			return
		}
		if err != nil {
			return
		}
		socket.MarkAnswered(conn)
		answer, err := s.answer(ctx, line, checker)
		if err != nil || socket.Write(ctx, conn, []byte(answer)) != nil {
			return
		}
	}
}

// answer returns the line that answers a line, or the error of Await.
func (s *Server) answer(ctx context.Context, line []byte, checker checkers.Checker) (string, error) {
	timing := s.answers.Begin()
	translate, name, ok := parse(line)
	if !ok {
		s.malformed.Add(1)
		return usage, nil
	}
	a, final := s.config.Source.Lookup(name, 0)
	if !final {
		timing.Wait()
		client, _ := socket.ClientAt(checker.From) // all without an address are one
		var err error
		if a, err = s.config.Source.Await(registry.WithClient(ctx, client), name, 0); err != nil {
			if errors.Is(err, registry.ErrOverloaded) {
				s.overloaded.Add(1)
			}
			return "", err
		}
	}
	frontend.RecordChecker(s.config.Checkers, checker, name, &a)
	text := translate(a) + "\n"
	s.answers.End(timing)
	return text, nil
}

// parse parses a request: two words, with any white space between and around
// them, a carriage return included. The name cannot be left out, because that
// would be an easy mistake; "readiness" is the name of all services together.
func parse(line []byte) (translate func(registry.Answer) string, name []byte, ok bool) {
	words := bytes.Fields(line)
	if len(words) != 2 {
		return nil, nil, false
	}
	switch string(words[0]) {
	case "check":
		return check, words[1], true
	case "agent":
		return agent, words[1], true
	}
	return nil, nil, false
}
