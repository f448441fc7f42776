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

// A network joins clients to a server by pipes.
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

// A testServer is a server under fake time.
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
	loop := &mainLoop{questions: make(chan question), landmark: marks.Loop("main loop", time.Second), signals: s.signals}
	s.loop = collector.Of(marks).Landmarks()[0]
	var running sync.WaitGroup
	running.Go(func() { loop.run(t.Context()) })
	running.Go(func() { serve(s, loop.questions) })
	t.Cleanup(func() {
		s.signals <- syscall.SIGUSR2
		s.Close()
		running.Wait()
	})
	return s
}

// askChannel1 asks on the connection what is on channel 1.
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
			if err != nil || p != *onAir(1, time.Now()) {
				t.Errorf("got %v, %v", p, err)
			}
			time.Sleep(idle / 2)
		}
		time.Sleep(idle)
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("an idle connection ended with %v", err)
		}
	})
}

func TestMalformedRequestEndsItsConnectionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t)
		good, bad := s.dial(), s.dial()
		defer good.Close()
		defer bad.Close()
		if _, err := bad.Write([]byte("GET / HTTP/1.0")); err != nil {
			t.Fatal(err)
		}
		if _, err := bad.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a malformed request ended with %v", err)
		}
		if _, err := askChannel1(good); err != nil {
			t.Errorf("another connection: %v", err)
		}
	})
}

// While the loop hangs the landmark is not answered and no client gets a
// programme, but the server accepts; afterwards all is as before. The signals
// count in their order, and one too many is nothing.
func TestWedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t)
		for range 2 {
			for _, signal := range []os.Signal{syscall.SIGUSR2, syscall.SIGUSR1, syscall.SIGUSR1} {
				s.signals <- signal
			}
			synctest.Wait()
			conn := s.dial()
			asked := time.Now()
			if p, err := askChannel1(conn); err == nil {
				t.Errorf("a server whose loop hangs gave %v", p)
			}
			if held := time.Since(asked); held != patience {
				t.Errorf("the request was held for %v, want %v", held, patience)
			}
			conn.Close()
			s.loop.SendCommand(time.Now())
			synctest.Wait()
			if !s.loop.Sample(time.Now()).Open {
				t.Error("a loop that hangs answered the get-state command")
			}

			s.signals <- syscall.SIGUSR2
			synctest.Wait()
			if s.loop.Sample(time.Now()).Open {
				t.Error("the freed loop did not answer the get-state command")
			}
			conn = s.dial()
			if _, err := askChannel1(conn); err != nil {
				t.Errorf("the freed server: %v", err)
			}
			conn.Close()
		}
	})
}

// However many clients come while the loop hangs, the server holds no more than
// it may, and goes on accepting.
func TestClientsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t)
		s.signals <- syscall.SIGUSR1
		synctest.Wait()
		var clients sync.WaitGroup
		for range maxConnections {
			conn := s.dial()
			clients.Go(func() { askChannel1(conn); conn.Close() })
		}
		newcomer := s.dial()
		if _, err := askChannel1(newcomer); err == nil {
			t.Error("a newcomer got a programme")
		}
		if _, err := newcomer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the newcomer's connection ended with %v", err)
		}
		newcomer.Close()

		clients.Wait() // they are dropped when their patience ends
		s.signals <- syscall.SIGUSR2
		conn := s.dial()
		if _, err := askChannel1(conn); err != nil {
			t.Errorf("after the rush: %v", err)
		}
		conn.Close()
	})
}
