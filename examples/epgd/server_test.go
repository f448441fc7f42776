package main

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
)

// A network connects clients and a server through pipes.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { close(n.closed); return nil }
func (n *network) Addr() net.Addr { return &net.TCPAddr{} }

func (n *network) dial() net.Conn {
	client, server := net.Pipe()
	n.conns <- server
	return client
}

// A testServer is a server for synctest.
type testServer struct {
	network
	signals chan os.Signal
	loop    collector.Landmark
}

// newTestServer runs a server until the test ends.
func newTestServer(t *testing.T) *testServer {
	marks := landmark.NewSet()
	s := &testServer{
		network: network{conns: make(chan net.Conn), closed: make(chan struct{})},
		signals: make(chan os.Signal, 16),
	}
	loop := &mainLoop{requests: make(chan pendingRequest), landmark: marks.Loop("main loop", time.Second), signals: s.signals}
	s.loop = collector.Of(marks).Landmarks()[0]
	var running sync.WaitGroup
	running.Go(func() { loop.run(t.Context()) })
	running.Go(func() { serve(s, loop.requests) })
	t.Cleanup(func() {
		s.signals <- syscall.SIGUSR2
		s.Close()
		running.Wait()
	})
	return s
}

// askChannel1 requests the current programme of channel 1.
func askChannel1(conn net.Conn) (programme, error) {
	if _, err := conn.Write(appendRequest(nil, request{channel: 1, at: time.Now()})); err != nil {
		return programme{}, err
	}
	return readAnswer(conn)
}

func TestServerAnswersManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := newTestServer(t).dial()
		defer conn.Close()
		for range 3 {
			p, err := askChannel1(conn)
			if want := *onAir(1, time.Now()); err != nil || p != want {
				t.Errorf("answer %v, %v, want %v", p, err, want)
			}
			time.Sleep(idleTimeout / 2)
		}
		time.Sleep(idleTimeout)
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("reading from an idle connection: %v, want EOF", err)
		}
	})
}

func TestMalformedRequestClosesOnlyItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t)
		good, bad := s.dial(), s.dial()
		defer good.Close()
		defer bad.Close()
		if _, err := bad.Write([]byte("GET / HTTP/1.0")); err != nil {
			t.Fatal(err)
		}
		if _, err := bad.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("reading after a malformed request: %v, want EOF", err)
		}
		if _, err := askChannel1(good); err != nil {
			t.Errorf("request on another connection: %v", err)
		}
	})
}

// While the loop hangs, the landmark is not answered and no client gets a
// programme, but the server accepts. Afterwards everything works again. Extra
// signals have no effect.
func TestHangingLoopShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t)
		for range 2 {
			for _, signal := range []os.Signal{syscall.SIGUSR2, syscall.SIGUSR1, syscall.SIGUSR1} {
				s.signals <- signal
			}
			synctest.Wait()
			conn := s.dial()
			start := time.Now()
			if p, err := askChannel1(conn); err == nil {
				t.Errorf("hanging loop: got the programme %v, want an error", p)
			}
			if waited := time.Since(start); waited != requestTimeout {
				t.Errorf("hanging loop: the request waited %v, want %v", waited, requestTimeout)
			}
			conn.Close()
			s.loop.SendCommand(time.Now())
			synctest.Wait()
			if !s.loop.Sample(time.Now()).Open {
				t.Error("hanging loop: the get-state command was answered")
			}

			s.signals <- syscall.SIGUSR2
			synctest.Wait()
			if s.loop.Sample(time.Now()).Open {
				t.Error("loop continues: the get-state command was not answered")
			}
			conn = s.dial()
			if _, err := askChannel1(conn); err != nil {
				t.Errorf("loop continues: %v", err)
			}
			conn.Close()
		}
	})
}

// However many clients connect while the loop hangs, the server keeps at most
// maxConnections and continues to accept.
func TestConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t)
		s.signals <- syscall.SIGUSR1
		synctest.Wait()
		var clients sync.WaitGroup
		for range maxConnections {
			conn := s.dial()
			clients.Go(func() { askChannel1(conn); conn.Close() })
		}
		extra := s.dial()
		if _, err := askChannel1(extra); err == nil {
			t.Error("a connection beyond the limit got a programme")
		}
		if _, err := extra.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("reading from a connection beyond the limit: %v, want EOF", err)
		}
		extra.Close()

		clients.Wait() // until their requests time out
		s.signals <- syscall.SIGUSR2
		conn := s.dial()
		if _, err := askChannel1(conn); err != nil {
			t.Errorf("after the others have left: %v", err)
		}
		conn.Close()
	})
}
