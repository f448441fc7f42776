// Package lmp is the front end for LMP, the monitoring protocol of docs/lmp.md,
// on UDP and TCP. It translates the registry's answers into frames, and judges
// nothing itself.
//
// A UDP check is followed from top to bottom in udp.go, which receives and sends by
// batch.go, a TCP check in conn.go, and a WATCH in watch.go. All three use
// translate.go.
package lmp

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/internal/turn"
	"github.com/landmark-health/landmark/lmp"
)

// Config configures a Server.
type Config struct {
	Address string // HOST:PORT to listen on, both UDP and TCP
	// MaxConns is how many TCP connections may be open at once, divided among the
	// addresses of the clients (see socket.LimitPer).
	MaxConns int
	Refusals *socket.Refusals  // logs why no connection can be accepted
	Keys     lmp.Keys          // of the checkers; empty = requests need no signature
	Source   frontend.Source   // gives the answers
	Checkers frontend.Checkers // records who received them
	Logger   *slog.Logger      // logs rejections, once a minute
}

// Server answers LMP requests.
type Server struct {
	config      Config
	udp         *udpSocket
	tcp         *tcpServer
	rejections  rejections
	largeFrames largeFrames // over TCP
	udpLoop     *turn.Loop
	udpAnswers  frontend.Answers
	tcpAnswers  frontend.Answers
}

// New binds the address. It is an error if the port is taken: of two servers
// that share a port, each would answer for the other's programs.
func New(c Config) (*Server, error) {
	s := newServer(c)
	l, err := listenTCP(c.Address)
	if err != nil {
		return nil, err
	}
	if err := s.acceptFrom(l); err != nil {
		return nil, err
	}
	// With port 0, UDP takes the port that the kernel chose for TCP.
	if s.udp, err = listenUDP(c.Address, s.tcp.addr.(*net.TCPAddr).Port); err != nil {
		s.tcp.loop.Close()
		return nil, err
	}
	return s, nil
}

// newServer returns a Server that has bound nothing.
func newServer(c Config) *Server {
	return &Server{config: c, rejections: newRejections(), largeFrames: make(largeFrames, maxLargeFrames), udpLoop: turn.New()}
}

// Addr returns the address that the server listens on, both UDP and TCP.
func (s *Server) Addr() net.Addr { return s.tcp.addr }

// Answers returns the answers over UDP and over TCP. Those that a WATCH sends do not
// count.
func (s *Server) Answers() (udp, tcp *frontend.Answers) { return &s.udpAnswers, &s.tcpAnswers }

// Refused yields the reasons for which requests and connections get no answer, and how
// many did not.
func (s *Server) Refused(yield func(reason string, n uint64) bool) { s.rejections.All(yield) }

// Run serves until ctx is done, then closes what New bound and returns nil. A
// request that still waits then gets no answer.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.serveUDP(ctx) })
	g.Go(func() error { return s.serveTCP(ctx) })
	g.Go(func() error {
		s.rejections.Log(ctx, s.config.Logger, "monitoring requests refused")
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		return s.udp.Close()
	})
	return g.Wait()
}

// Close closes what New bound, for a Server that is not run.
func (s *Server) Close() error { return errors.Join(s.udp.Close(), s.tcp.loop.Close()) }

// parse parses a request. If the server has keys, parse also verifies the
// signature, and returns the key that made it.
func (s *Server) parse(b []byte) (lmp.Request, *lmp.Key, error) {
	q, err := lmp.ParseRequest(b)
	if err != nil || len(s.config.Keys) == 0 {
		return q, nil, err
	}
	key, err := s.config.Keys.Verify(b)
	return q, key, err
}
