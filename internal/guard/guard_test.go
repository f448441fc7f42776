package guard

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/landmark-health/landmark/internal/socket"
)

func TestFloodClosesTheConnection(t *testing.T) {
	for name, flood := range map[string]func(g *guarded, n uint32){
		"rapid reset":   func(g *guarded, n uint32) { g.headers(2*n + 1); g.framer.WriteRSTStream(2*n+1, http2.ErrCodeCancel) },
		"pings":         func(g *guarded, n uint32) { g.framer.WritePing(false, [8]byte{}) },
		"settings":      func(g *guarded, n uint32) { g.framer.WriteSettings() },
		"empty data":    func(g *guarded, n uint32) { g.framer.WriteData(1, false, nil) },
		"continuations": func(g *guarded, n uint32) { g.framer.WriteContinuation(1, false, []byte{0}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limits := newLimits()
				g, another, other := newGuarded(t, limits, 1), newGuarded(t, limits, 1), newGuarded(t, limits, 2)
				for n := range uint32(2 * clientOverheadBurst) {
					flood(g, n)
				}
				g.want("the flood", errFlood)
				for n := range uint32(connOverheadBurst / 2) {
					flood(another, n)
					flood(other, n)
				}
				another.want("another connection of the client", nil)
				for n := range uint32(connOverheadBurst) {
					flood(another, connOverheadBurst+n)
					flood(other, connOverheadBurst+n)
				}
				another.want("more than the connection's own limit, when the client's is used", errFlood)
				other.want("another client", nil)
			})
		})
	}
}

// A proxy checks a thousand names a second, pings for each answer and cancels a
// few calls. It is neither closed nor delayed.
func TestBusyClientIsNotDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, newLimits(), 1)
		began := time.Now()
		for n := range uint32(10_000) {
			stream := 2*n + 1
			g.headers(stream)
			g.framer.WriteData(stream, true, make([]byte, 30))
			if n%20 == 0 {
				g.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
			}
			g.want("a request", nil)
			g.answer(stream)
			g.framer.WritePing(false, [8]byte{})
			g.framer.WriteWindowUpdate(0, 7)
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("10,000 requests took %v, want 10s", took)
		}
		if g.wire.closed.Load() || len(g.open) != 0 || g.unread != (unread{}) {
			t.Errorf("%d streams are open, unread is %+v", len(g.open), g.unread)
		}
	})
}

// A connection that sends requests too fast waits, and others do not.
func TestTooManyRequestsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := newLimits()
		g := newGuarded(t, limits, 1)
		began := time.Now()
		for n := range uint32(clientStreamsBurst + connStreamsBurst + 2*clientStreamsPerSecond) {
			g.headers(2*n + 1)
			g.want("a request", nil)
			g.answer(2*n + 1)
		}
		// The connection's own limit adds less than 3 % to the client's.
		if took := time.Since(began); took < 1900*time.Millisecond || took > 2*time.Second {
			t.Errorf("it took %v, want nearly 2 s", took)
		}
		calm := newGuarded(t, limits, 1)
		began = time.Now()
		calm.headers(1)
		calm.want("another connection", nil)
		if took := time.Since(began); took > 0 {
			t.Errorf("another connection of the same client waited for %v", took)
		}
	})
}

// served hands out one connection.
type served struct {
	net.Listener
	conns chan net.Conn
}

func (s served) Accept() (net.Conn, error) { return <-s.conns, nil }

// A connection that waits because its client sends too many requests ends as soon as
// another displaces it, and what it waited for delays no other of the client.
func TestDisplacedConnectionWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits, wires := newLimits(), served{conns: make(chan net.Conn, 1)}
		limits.Budget.add(nil).streams.Reserve(clientStreamsBurst+clientStreamsPerSecond/2, time.Now())
		l := Listen(socket.LimitPer(wires, socket.Quota[int]{Limit: 1, Client: func(net.Conn) (int, error) { return 0, nil }, Closed: func(int) {}}), limits)
		connect := func() *conn {
			w := &wire{}
			w.in.WriteString(http2.ClientPreface)
			framer := http2.NewFramer(&w.in, nil)
			for n := range uint32(connStreamsBurst + 10) {
				framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*n + 1, EndHeaders: true, EndStream: true})
				framer.WriteRSTStream(2*n+1, http2.ErrCodeCancel)
			}
			wires.conns <- w
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return c.(*conn)
		}
		c, ended := connect(), make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1<<16))
			ended <- err
		}()
		synctest.Wait()
		began := time.Now()
		connect().Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) || time.Since(began) > 0 {
			t.Errorf("the displaced connection ended with %v after %v", err, time.Since(began))
		}
		if wait := c.client.reserveStream(time.Now()); wait != time.Second/2+time.Second/clientStreamsPerSecond {
			t.Errorf("the next request waits for %v", wait)
		}
		c.Close()
	})
}

// What a connection had to wait for delays no other of the client if it is closed: because
// of what follows, because it would wait too long, or because the server stops.
func TestClosedConnectionLeavesNothingToWaitFor(t *testing.T) {
	for name, tt := range map[string]struct {
		before int // streams that are reserved
		what   func(g *guarded)
		want   error
	}{
		"unread data": {clientStreamsBurst, func(g *guarded) {
			g.streams(10)
			for range 10 {
				g.framer.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 5000))
			}
			g.wire.in.Truncate(g.wire.in.Len() - 100)
		}, errUnread},
		"a long wait": {clientStreamsBurst + 2*clientStreamsPerSecond, func(g *guarded) { g.streams(10) }, errTooFast},
		"a stop": {clientStreamsBurst + clientStreamsPerSecond/2, func(g *guarded) {
			stopped := make(chan struct{})
			close(stopped)
			g.stopped = stopped
			g.streams(10)
		}, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limits := newLimits()
				limits.Message, limits.Budget.bytes = 1, 10
				client := limits.Budget.add(1)
				client.streams.Reserve(tt.before, time.Now())
				began := time.Now()
				for range 3 {
					g := newGuarded(t, limits, 1)
					tt.what(g)
					if err := g.readAll(); !errors.Is(err, tt.want) || !g.wire.closed.Load() || time.Since(began) > 0 {
						t.Errorf("the connection ended after %v with %v, closed: %v; want %v at once", time.Since(began), err, g.wire.closed.Load(), tt.want)
					}
				}
				left := time.Duration(tt.before-clientStreamsBurst+1) * time.Second / clientStreamsPerSecond
				if wait := client.reserveStream(time.Now()); wait != left {
					t.Errorf("the next request waits for %v, want %v", wait, left)
				}
				if n := limits.Budget.TooFast(); tt.want == errTooFast && n != 3 || tt.want != errTooFast && n != 0 {
					t.Errorf("counted %d connections that were too fast", n)
				}
			})
		})
	}
}

// A server stops at once, though connections wait in their handshake and after it.
func TestStopEndsWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, s *grpc.Server, l *bufconn.Listener) {
		const connections = 8
		ended := make(chan error, connections)
		for range connections {
			c, err := l.Dial()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go func() {
				_, err := io.Copy(io.Discard, c)
				ended <- err
			}()
			var b bytes.Buffer
			b.WriteString(http2.ClientPreface)
			framer := http2.NewFramer(&b, nil)
			framer.WriteSettings()
			for range 400 {
				framer.WriteRawFrame(http2.FrameHeaders, 0, 1, nil)
			}
			c.Write(b.Bytes())
		}
		synctest.Wait()
		if n := len(ended); n > connections/2 {
			t.Fatalf("%d connections ended before the stop, want only those that did not wait", n)
		}
		began := time.Now()
		s.Stop()
		for range connections {
			<-ended
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("stopping took %v, want no time", took)
		}
	})
}
