package guard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/landmark-health/landmark/internal/socket"
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

func TestUnreadDataIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := newLimits()
		g := newGuarded(t, limits, 1)
		// A frame of one byte costs more memory than one byte.
		for range connBytes / costOf(1) {
			g.framer.WriteData(1, false, []byte{0})
		}
		g.want("as much as a connection may hold by itself", nil)
		if left := limits.Budget.left(); left != 1<<20 {
			t.Errorf("%d bytes of the budget are left", left)
		}
		for range 1000 {
			g.framer.WriteData(1, false, make([]byte, 16<<10))
		}
		g.want("much more", errUnread)
		if left := limits.Budget.left(); left != 1<<20 {
			t.Errorf("after the end %d bytes of the budget are left", left)
		}

		// Many connections together take no more than the budget.
		all := 0
		for range 100 {
			g := newGuarded(t, limits, 1)
			g.headers(1)
			for range 5 {
				g.framer.WriteData(1, false, make([]byte, 16<<10))
			}
			if g.pass() == nil {
				all++
				defer g.Close()
			}
		}
		if most := (1 << 20) / (4 << 14); all < 10 || all > most {
			t.Errorf("%d connections hold 80 kB each, want at most %d", all, most)
		}
		honest := newGuarded(t, limits, 2)
		for n := range uint32(100) {
			honest.headers(2*n + 1)
			honest.framer.WriteData(2*n+1, true, make([]byte, 100))
			honest.want("a small request", nil)
			honest.answer(2*n + 1)
		}
	})
}

// A message that uses the budget must arrive whole in time. Small messages may
// follow one another without end.
func TestUnfinishedMessageEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{Message: 384 << 10, Streams: 8, Budget: NewBudget(1<<20, 8), ClientStreams: true}
		g := newGuarded(t, limits, 1)
		g.headers(1)
		for range 3 {
			for range 10 {
				g.framer.WriteData(1, false, make([]byte, 16<<10))
			}
			g.want("a large message", nil)
			time.Sleep(requestTimeout - time.Second)
			g.release(10 * 16 << 10)
		}
		time.Sleep(time.Hour)
		if g.wire.closed.Load() {
			t.Error("the connection was closed although its messages arrived whole")
		}
		for range 10 {
			g.framer.WriteData(1, false, make([]byte, 16<<10))
		}
		g.want("a large message", nil)
		time.Sleep(requestTimeout + time.Second)
		if !g.wire.closed.Load() {
			t.Error("the connection is open although its message did not arrive whole")
		}
		if left := limits.Budget.left(); left != 1<<20 {
			t.Errorf("%d bytes of the budget are left", left)
		}
	})
}

// A request that the client has ended is with its handler, however long the answer takes. One
// that is no single message counts until its stream ends.
func TestEndedRequestIsNotUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{Message: 4 << 10, Streams: 1000, Budget: NewBudget(1<<20, 1000)}
		g := newGuarded(t, limits, 1)
		for n := range uint32(1000) {
			g.headers(2*n + 1)
			g.framer.WriteData(2*n+1, false, make([]byte, 50))
			g.want("the beginning of a request", nil)
			if g.unread.data != 50 {
				t.Fatalf("%d bytes are unread, want 50", g.unread.data)
			}
			g.framer.WriteData(2*n+1, n%2 == 0, make([]byte, 50))
			g.framer.WriteData(2*n+1, true, nil)
			g.want("a request", nil)
			if g.unread != (unread{timer: g.unread.timer}) {
				t.Fatalf("unread is %+v, want nothing", g.unread)
			}
		}
		time.Sleep(time.Hour)
		if g.wire.closed.Load() {
			t.Error("the connection was closed although its requests came whole")
		}

		// What comes in many pieces is not one message.
		const large = 2001
		g.headers(large)
		for range maxRequestCost/costOf(1) + 1 {
			g.framer.WriteData(large, false, []byte{0})
		}
		g.framer.WriteData(large, true, []byte{0})
		g.want("many small pieces", nil)
		if g.unread.cost <= maxRequestCost {
			t.Errorf("unread is %+v, want all of it", g.unread)
		}
		g.answer(large)
		if g.unread.cost != 0 {
			t.Errorf("after the answer unread is %+v, want nothing", g.unread)
		}
	})
}

// Each stream has its own time for its request. One that is answered before its client has
// ended it has sent what the server needs.
func TestRequestsMustComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, newLimits(), 1)
		g.headers(1)
		g.framer.WriteData(1, false, make([]byte, 50))
		g.want("a stream that stays open", nil)
		g.server.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 20), EndHeaders: true})
		time.Sleep(time.Minute)
		for n := range uint32(2 * requestTimeout / time.Second) {
			id := 2*n + 3
			g.headers(id)
			g.want("the beginning of a request", nil)
			time.Sleep(time.Second)
			if n%2 == 0 {
				g.framer.WriteData(id, true, make([]byte, 50))
				g.want("its end", nil)
			} else {
				g.framer.WriteRSTStream(id, http2.ErrCodeCancel)
				g.want("its cancellation", nil)
			}
		}
		g.headers(101)
		g.want("one without a request", nil)
		time.Sleep(requestTimeout - time.Second)
		g.headers(103)
		g.want("another", nil)
		if g.wire.closed.Load() {
			t.Error("the connection was closed too early")
		}
		time.Sleep(2 * time.Second)
		if !g.wire.closed.Load() {
			t.Error("the connection is open although a request did not come in time")
		}
	})
}

// The connection with the most open streams is closed for those that have few.
func TestOpenStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := newLimits()
		honest, largest, small := newGuarded(t, limits, 1), newGuarded(t, limits, 1), newGuarded(t, limits, 2)
		for n := range uint32(connStreams + 2) {
			honest.headers(2*n + 1)
		}
		honest.want("few streams", nil)
		for n := range uint32(connStreams + 18) {
			largest.headers(2*n + 1)
		}
		largest.want("all the streams that are left", nil)
		for n := range uint32(connStreams + 1) {
			small.headers(2*n + 1)
		}
		small.want("a few more", nil)
		if !largest.wire.closed.Load() || honest.wire.closed.Load() {
			t.Errorf("closed: the largest %v, the honest one %v", largest.wire.closed.Load(), honest.wire.closed.Load())
		}
		small.answer(1)
		honest.Close()
		small.Close()
		if limits.Budget.streams != 20 || len(limits.Budget.conns) != 0 {
			t.Errorf("%d streams are left, want all", limits.Budget.streams)
		}
		last := newGuarded(t, limits, 1)
		for n := range uint32(connStreams + 21) {
			last.headers(2*n + 1)
		}
		last.want("more streams than there are", errStreams)
	})
}

func TestIdleClientsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := newLimits()
		for client := range 1000 {
			newGuarded(t, limits, client).Close()
		}
		time.Sleep(forgetAfter)
		newGuarded(t, limits, "last")
		if n := len(limits.Budget.clients); n != 1 {
			t.Errorf("%d clients are kept, want the last only", n)
		}
	})
}

// health answers Check.
type health struct {
	healthpb.UnimplementedHealthServer
}

func (health) Check(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return &healthpb.HealthCheckResponse{}, nil
}

// inBubble runs a guarded gRPC server in a synctest bubble.
func inBubble(t *testing.T, test func(t *testing.T, s *grpc.Server, l *bufconn.Listener)) {
	synctest.Test(t, func(t *testing.T) {
		limits := newLimits()
		server, l := grpc.NewServer(Options(limits)...), bufconn.Listen(1<<20)
		healthpb.RegisterHealthServer(server, health{})
		served := make(chan error)
		go func() { served <- server.Serve(Listen(l, limits)) }()
		test(t, server, l)
		server.Stop()
		<-served
		if limits.Budget.left() != 1<<20 || limits.Budget.streams != 20 {
			t.Errorf("%d bytes and %d streams of the budget are left", limits.Budget.left(), limits.Budget.streams)
		}
	})
}

func dial(t *testing.T, l *bufconn.Listener) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestCallsAreAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *grpc.Server, l *bufconn.Listener) {
		conn := dial(t, l)
		defer conn.Close()
		client := healthpb.NewHealthClient(conn)
		for range 3000 {
			if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "epg"}); err != nil {
				t.Fatal(err)
			}
		}
		long := &healthpb.HealthCheckRequest{Service: string(make([]byte, 5000))}
		if _, err := client.Check(t.Context(), long); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a message that is too long: %v", err)
		}
		// The data of a failed request is not counted forever.
		if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
	})
}

func TestStreamWithoutARequestEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *grpc.Server, l *bufconn.Listener) {
		conn := dial(t, l)
		defer conn.Close()
		began := time.Now()
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/grpc.health.v1.Health/Check")
		if err != nil {
			t.Fatal(err)
		}
		err = stream.RecvMsg(&healthpb.HealthCheckResponse{})
		if took := time.Since(began); err == nil || took < requestTimeout || took > requestTimeout+time.Second {
			t.Errorf("it ended after %v with %v, want %v", took, err, requestTimeout)
		}
	})
}
