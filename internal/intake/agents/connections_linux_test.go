package agents

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/registry"
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
	all := newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler))
	first, agent := pair(t, all)
	second, other := pair(t, all)
	empty := func(conn *connection, want bool, when string) {
		t.Helper()
		if got := conn.caughtUp(); got != want {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	empty(first, true, "before anything was sent")
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
	empty(first, false, "with four bytes unread")
	empty(second, true, "with four bytes of another unread")
	read(first, 3)
	empty(first, false, "with one byte unread")
	read(first, 1)
	empty(first, true, "when all is read")
	send(other)
	other.Close()
	empty(second, false, "with four bytes unread of one that has ended")
	second.Close()
	empty(second, true, "when what is unread is closed")
	first.Conn.Close() // gone below, as between a look at the set and one at the socket
	empty(first, true, "with a socket that is gone")
}

// The clock must know of a pause while there is a connection, and may rest
// while there is none.
func TestClockKnowsOfConnections(t *testing.T) {
	clock := clock.New()
	all := newConnections(registry.New(clock, 0), slog.New(slog.DiscardHandler))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	rest := func() { clock.Run(over, readAll) } // if it may
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

func TestReadEmptyAmongOthers(t *testing.T) {
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
		t.Errorf("%d users are left", n)
	}
}
