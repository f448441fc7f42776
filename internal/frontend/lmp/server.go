package lmp

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/lmp"
)

// Config says how a Server is to be.
type Config struct {
	Address string // HOST:PORT to listen on, UDP and TCP alike
	// Limit bounds the TCP connections: it returns a listener that closes
	// those that are too many, and calls closed for each. nil = there is no
	// bound.
	Limit    func(l net.Listener, closed func()) net.Listener
	Keys     lmp.Keys          // who may ask; empty = everyone, unsigned
	Source   frontend.Source   // where answers come from
	Checkers frontend.Checkers // who was given them
	Logger   *slog.Logger      // told of refusals once a minute
}

// Server answers LMP requests.
type Server struct {
	config   Config
	udp      *datagrams
	tcp      net.Listener
	refusals refusals
	large    large // frames over TCP
}

// New binds the address. A port that is taken is an error: two servers that
// share one would each answer for the other's programs.
func New(c Config) (*Server, error) {
	tcp, err := listenStreams(c.Address)
	if err != nil {
		return nil, err
	}
	// With port 0, UDP takes the port that TCP was given.
	udp, err := listenDatagrams(c.Address, tcp.Addr().(*net.TCPAddr).Port)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	s := &Server{config: c, udp: udp, tcp: tcp, large: make(large, maxLarge)}
	if c.Limit != nil {
		s.tcp = c.Limit(tcp, func() { s.refusals.count(crowded) })
	}
	return s, nil
}

// Addr returns the address that the server listens on, UDP and TCP alike.
func (s *Server) Addr() net.Addr { return s.tcp.Addr() }

// Run serves until ctx is done, then closes what New bound and returns nil. A
// question still being waited for then gets no answer.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.serveDatagrams(ctx) })
	g.Go(func() error { return s.serveStreams(ctx) })
	g.Go(func() error { return s.refusals.log(ctx, s.config.Logger) })
	g.Go(func() error {
		<-ctx.Done()
		return s.Close()
	})
	return g.Wait()
}

// Close unbinds what New bound, for a Server that is not run.
func (s *Server) Close() error { return errors.Join(s.udp.Close(), s.tcp.Close()) }
