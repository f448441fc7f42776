package agents

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// pair returns a connection over a real socket, and its other end.
func pair(t testing.TB, all *connections) (taken *connection, agent net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	agent, err = net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { agent.Close() })
	conn, err := (&listener{Listener: l, connections: all}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*connection), agent
}

func TestCaughtUpWhenTheSocketIsEmpty(t *testing.T) {
	all := newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler))
	first, agent := pair(t, all)
	second, other := pair(t, all)
	caughtUp := func(conn *connection, want bool, when string) {
		t.Helper()
		if got := conn.caughtUp(); got != want {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	caughtUp(first, true, "before anything was sent")
	send := func(conn net.Conn) {
		if _, err := conn.Write([]byte("four")); err != nil {
			t.Fatal(err)
		}
	}
	read := func(conn net.Conn, n int) {
		if _, err := conn.Read(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	send(agent)
	caughtUp(first, false, "with four bytes unread")
	caughtUp(second, true, "with four bytes of another unread")
	read(first, 3)
	caughtUp(first, false, "with one byte unread")
	read(first, 1)
	caughtUp(first, true, "when all is read")
	send(other)
	other.Close()
	caughtUp(second, false, "with four bytes unread of a closed peer")
	second.Close()
	caughtUp(second, true, "when it is closed with bytes unread")
	first.Conn.Close() // as if it is closed while caughtUp is called
	caughtUp(first, true, "when its socket is closed")
}

// The clock detects pauses while a connection is open, and may stop while none is.
func TestClockRunsWhileConnectionsAreOpen(t *testing.T) {
	clock := clock.New()
	all := newConnections(registry.New(clock, 0), slog.New(slog.DiscardHandler))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	rest := func() { clock.Run(over, readAll) } // stops the clock if it may stop
	upToDate := func() bool { read, real := clock.Read(); return read == real }

	rest()
	conn, _ := pair(t, all)
	rest()
	for began := time.Now(); upToDate(); runtime.Gosched() {
		if time.Since(began) > 10*time.Second {
			t.Fatal("a clock that does not run says that everything has been read")
		}
	}
	conn.Close()
	conn.Close()
	for range 2 {
		rest()
		if !upToDate() {
			t.Error("without a connection the clock says that something is unread")
		}
	}
}

// The connection of a program that has reported needs no beats, and is no source once it
// is closed.
func TestConnectionIsAQuietSourceOnceItHasReported(t *testing.T) {
	clock := clock.New()
	all := newConnections(registry.New(clock, 0), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { clock.Run(ctx, readAll) })
	stop := func() { cancel(); running.Wait() }
	defer stop()
	conn, _ := pair(t, all)
	<-clock.NextBeat()
	<-clock.NextBeat()
	conn.becomeQuiet()
	conn.becomeQuiet()
	quiet := false
	for range 3 { // the beat that is due already, and that which begins the quiet
		select {
		case <-clock.NextBeat():
		case <-time.After(time.Second):
			quiet = true
		}
	}
	if !quiet {
		t.Error("the clock goes on beating")
	}
	conn.Close()
	conn.becomeQuiet()
	stop()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	clock.Run(over, readAll) // rests if it may
	if read, real := clock.Read(); read != real {
		t.Error("without a connection the clock says that something is unread")
	}
}

func TestConnectionsAreSafeForConcurrentUse(t *testing.T) {
	all := newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler))
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() {
			for range 50 {
				conn, _ := pair(t, all)
				conn.caughtUp()
				conn.Close()
			}
		})
	}
	working.Wait()
	if n := len(all.users); n > 0 {
		t.Errorf("%d users are left, want none", n)
	}
}

// A connection whose user has sent too much ends as soon as another displaces it.
func TestDisplacedConnectionWaitsNoLonger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	below, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer below.Close()
	limited := socket.LimitPer(below, socket.Quota[int]{Limit: 1, Client: func(net.Conn) (int, error) { return 0, nil }, Closed: func(int) {}})
	l := &listener{Listener: limited, connections: newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler))}
	accept := func() *connection {
		agent, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { agent.Close() })
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return conn.(*connection)
	}
	conn, ended := accept(), make(chan error)
	conn.readAfter = time.Now().Add(time.Hour)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	defer accept().Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) { // or the test times out
		t.Errorf("the displaced connection ended with %v", err)
	}
	conn.Close()
}
