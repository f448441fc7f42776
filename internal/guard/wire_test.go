package guard

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
)

// wire is the connection below a guarded one: reads come from in, writes are
// discarded.
type wire struct {
	net.Conn
	in     bytes.Buffer
	closed atomic.Bool
}

func (w *wire) Read(b []byte) (int, error)  { return w.in.Read(b) }
func (w *wire) Write(b []byte) (int, error) { return len(b), nil }
func (w *wire) RemoteAddr() net.Addr        { return &net.UnixAddr{} }
func (w *wire) Close() error                { w.closed.Store(true); return nil }

// guarded is a guarded connection with a framer of each side.
type guarded struct {
	*conn
	t      *testing.T
	wire   *wire
	framer *http2.Framer // the client's
	server *http2.Framer
}

func newGuarded(t *testing.T, limits Limits, client any) *guarded {
	w := &wire{}
	c := newConn(w, limits, limits.Budget.add(client), nil)
	w.in.WriteString(http2.ClientPreface)
	return &guarded{c, t, w, http2.NewFramer(&w.in, nil), http2.NewFramer(c, nil)}
}

// pass reads all that the client wrote, in small pieces, as the server does.
func (g *guarded) pass() error {
	b := make([]byte, 100)
	for {
		_, err := g.Read(b)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			if !g.wire.closed.Load() {
				g.t.Errorf("%v, and the connection is open", err)
			}
			return err
		}
	}
}

func (g *guarded) want(what string, want error) {
	g.t.Helper()
	if err := g.pass(); !errors.Is(err, want) || (want == nil) != (err == nil) {
		g.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func (g *guarded) headers(stream uint32) {
	g.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: make([]byte, 50), EndHeaders: true})
}

// answer ends a stream as a server does.
func (g *guarded) answer(stream uint32) {
	g.server.WriteData(stream, false, make([]byte, 7))
	g.server.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: make([]byte, 20), EndHeaders: true, EndStream: true})
}

// left returns how many bytes of the budget are left.
func (b *Budget) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

func newLimits() Limits { return Limits{Message: 4 << 10, Streams: 100, Budget: NewBudget(1<<20, 20)} }

// streams writes new streams of a client: so many, beyond those that a connection has of its
// own.
func (g *guarded) streams(beyond int) {
	for n := range uint32(connStreamsBurst + beyond) {
		g.headers(2*n + 1)
		g.framer.WriteRSTStream(2*n+1, http2.ErrCodeCancel)
	}
}

// readAll reads all that the client wrote at once.
func (g *guarded) readAll() error {
	_, err := g.Read(make([]byte, 1<<16))
	return err
}
