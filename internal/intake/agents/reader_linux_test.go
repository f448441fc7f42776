package agents

import (
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/registry"
)

// slowConn is a connection whose Read has taken something from the socket, and does not
// return yet.
type slowConn struct {
	net.Conn
	taken, returns chan struct{}
}

func (c *slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.taken <- struct{}{}
	<-c.returns
	return n, err
}

// Between the moment when the socket is empty and that when the reading is dated, it is
// not known when something was last read.
func TestReaderDoesNotKnowWhatIsBeingRead(t *testing.T) {
	clock := clock.New()
	r := registry.New(clock, 0)
	conn, agent := pair(t, newConnections(r, slog.New(slog.DiscardHandler)))
	slow := &slowConn{conn.Conn, make(chan struct{}), make(chan struct{})}
	reader := newReader(slow, conn.raw, r)
	type result struct {
		n   int
		err error
	}
	results := make(chan result)
	go func() {
		for range 3 {
			if err := reader.wait(); err != nil {
				results <- result{0, err}
				return
			}
			n, err := reader.read(make([]byte, 8))
			results <- result{n, err}
		}
	}()
	for range 2 {
		await(t, "the last reading is known while there is nothing to read", func() bool {
			_, known := reader.lastRead()
			return known
		})
		_, before := clock.Read()
		if _, err := agent.Write([]byte("four")); err != nil {
			t.Fatal(err)
		}
		<-slow.taken
		if !conn.caughtUp() {
			t.Fatal("the socket is not empty")
		}
		if at, known := reader.lastRead(); known {
			t.Errorf("while it is being read: got %d, known", at)
		}
		slow.returns <- struct{}{}
		if got := <-results; got.n != 4 || got.err != nil {
			t.Fatalf("read %d, %v", got.n, got.err)
		}
		if at, known := reader.lastRead(); known && at < before {
			t.Errorf("when it is read: got %d, want %d at least", at, before)
		}
	}
	agent.Close()
	<-slow.taken
	slow.returns <- struct{}{}
	if got := <-results; got.n != 0 || got.err != io.EOF {
		t.Errorf("at the end: read %d, %v; want 0, EOF", got.n, got.err)
	}
}
