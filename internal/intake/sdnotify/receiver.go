package sdnotify

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landmark-health/landmark/internal/sdnotify"
	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/internal/socket"
)

// receiver receives the datagrams of one socket.
type receiver struct {
	server    *Server
	service   string // "" = the shared socket
	path      string
	datagrams *socket.Datagrams
	current   atomic.Pointer[sdnotify.Socket] // nil before Run
	closed    atomic.Bool
}

// newReceiver binds the socket.
func newReceiver(s *Server, service, path string) (*receiver, error) {
	datagrams, err := socket.ListenDatagrams(path, sdnotify.Listen)
	if err != nil {
		return nil, err
	}
	return &receiver{server: s, service: service, path: path, datagrams: datagrams}, nil
}

// run receives datagrams until ctx is done. Then it handles those that are left, and
// closes the socket.
func (r *receiver) run(ctx context.Context) error {
	var group errgroup.Group
	keep, stop := context.WithCancel(ctx)
	group.Go(func() error { return r.datagrams.KeepBound(keep, r.server.config.Logger) })
	closed := make(chan struct{})
	cancelClose := context.AfterFunc(ctx, func() {
		defer close(closed)
		r.close()
	})
	err := r.receive()
	if !cancelClose() {
		<-closed // receive returns while the socket is being closed
	}
	stop()
	group.Wait()
	return err
}

// receive receives datagrams until the socket is closed, and not bound again.
func (r *receiver) receive() error {
	var conn *net.UnixConn
	for !r.closed.Load() && r.datagrams.Conn() != conn {
		conn = r.datagrams.Conn()
		s, err := sdnotify.NewSocket(conn, func(d *sdnotify.Datagram) { r.server.receive(r, d) })
		if err != nil {
			return nil // it is closed
		}
		r.current.Store(s)
		for {
			err := s.Run()
			if err == nil {
				break // it is closed
			}
			r.server.config.Logger.Error("the notify socket cannot be read; trying again", "path", r.path, "err", err)
			<-time.After(retryInterval)
		}
	}
	return nil
}

// turn returns once the loop that receives datagrams has turned, also if the socket is
// bound again meanwhile. The error is ctx's.
func (r *receiver) turn(ctx context.Context) error {
	for !r.closed.Load() {
		if s := r.current.Load(); s != nil && s.Turn(ctx) == nil {
			return nil
		}
		if !sleep.For(ctx, turnInterval) {
			return ctx.Err()
		}
	}
	return nil // it is not configured any more
}

// turnInterval is the time between two attempts of turn.
const turnInterval = 10 * time.Millisecond

// close handles the datagrams that are in the socket, and closes it.
func (r *receiver) close() {
	r.drain()
	r.closed.Store(true)
	r.datagrams.Close()
}

// retryInterval is the time after an error of the socket, such as a lack of memory.
const retryInterval = 100 * time.Millisecond

// drain handles the datagrams that are in the socket now.
func (r *receiver) drain() {
	if s := r.current.Load(); s != nil {
		s.Drain()
	}
}

// empty reports whether all datagrams are handled that were sent before the call.
func (r *receiver) empty() bool {
	s := r.current.Load()
	return s != nil && s.Empty()
}
