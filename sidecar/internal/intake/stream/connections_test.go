package stream

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

// pair is a connection of the set over a real socket, and its other end.
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

func TestReadEmpty(t *testing.T) {
	s := New(registry.New(registry.NewClock(), 0), slog.New(slog.DiscardHandler))
	empty := func(want bool, when string) {
		t.Helper()
		if got := s.ReadEmpty(); got != want {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	empty(true, "without a connection")
	first, agent := pair(t, s.connections)
	second, other := pair(t, s.connections)
	empty(true, "before anything was sent")
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
	empty(false, "with four bytes unread")
	read(first, 3)
	empty(false, "with one byte unread")
	read(first, 1)
	empty(true, "when all is read")
	send(other)
	empty(false, "with four bytes of the other unread")
	other.Close()
	empty(false, "though the other has ended")
	second.Close()
	empty(true, "when what is unread is closed")
	first.Conn.Close() // gone below, as between a look at the set and one at the socket
	empty(true, "with a socket that is gone")
}

// A report that waits in the kernel is what the question is for.
func TestReadEmptyOfARunningServer(t *testing.T) {
	s := newSidecar(t)
	a := s.reporting("epg", "a", 0)
	a.send(goodbye())
	if err := a.ended(); err != nil {
		t.Fatal(err)
	}
	// What a connection has sent is unread until the server's goroutine runs.
	for begun := time.Now(); ; {
		conn, err := net.Dial("unix", s.path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Write([]byte("PRI "))
		unread := !s.server.ReadEmpty()
		conn.Close()
		if err != nil {
			t.Fatal(err)
		}
		if unread {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatal("what was just sent is never said to be unread")
		}
	}
	// Of the end of the stream gRPC itself may have a word to say still.
	for begun := time.Now(); !s.server.ReadEmpty(); runtime.Gosched() {
		if time.Since(begun) > time.Minute {
			t.Fatal("what was taken is said to be unread")
		}
	}
}

// The clock must know of a pause while there is a connection, and may rest
// while there is none.
func TestClockKnowsOfConnections(t *testing.T) {
	clock := registry.NewClock()
	all := newConnections(registry.New(clock, 0))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	rest := func() { clock.Run(over, all.readEmpty) } // if it may
	upToDate := func() bool { heard, real := clock.Read(); return heard == real }

	rest()
	conn, _ := pair(t, all)
	rest()
	for begun := time.Now(); upToDate(); runtime.Gosched() {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("a clock that does not beat claims to have heard everything")
		}
	}
	conn.Close()
	conn.Close()
	for range 2 {
		rest()
		if !upToDate() {
			t.Error("without a connection there is something that was not heard")
		}
	}
}

func TestReadEmptyAllocatesNothing(t *testing.T) {
	all := newConnections(registry.New(registry.NewClock(), 0))
	for range 8 {
		pair(t, all)
	}
	if n := testing.AllocsPerRun(100, func() { all.readEmpty() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReadEmptyAmongOthers(t *testing.T) {
	all := newConnections(registry.New(registry.NewClock(), 0))
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() {
			for range 50 {
				conn, _ := pair(t, all)
				all.readEmpty()
				conn.Close()
			}
		})
	}
	working.Wait()
	if n := len(all.open); n > 0 {
		t.Errorf("%d connections are left", n)
	}
}

func BenchmarkReadEmpty(b *testing.B) {
	all := newConnections(registry.New(registry.NewClock(), 0))
	for range 256 {
		pair(b, all)
	}
	b.ReportAllocs()
	for b.Loop() {
		all.readEmpty()
	}
}
