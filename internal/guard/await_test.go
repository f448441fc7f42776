package guard

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/test/bufconn"
)

// awaitedWire is a wire that can be waited for.
type awaitedWire struct {
	*wire
	await func() error
}

func (w awaitedWire) AwaitReadable() error { return w.await() }

// bufferPool counts the buffers that are taken.
type bufferPool struct{ taken int }

func (p *bufferPool) Get(size int) *[]byte {
	p.taken++
	b := make([]byte, size)
	return &b
}

func (p *bufferPool) Put(*[]byte) { p.taken-- }

// accepting is a listener that has accepted one connection.
type accepting struct {
	net.Listener
	conn net.Conn
}

func (l accepting) Accept() (net.Conn, error) { return l.conn, nil }

func TestSilentConnectionHoldsNoBuffer(t *testing.T) {
	synctest.Test(t, testSilentConnectionHoldsNoBuffer) // so that no time passes, and the burst stays spent
}

func testSilentConnectionHoldsNoBuffer(t *testing.T) {
	const size = 100
	pool := &bufferPool{}
	var failure error
	below := awaitedWire{&wire{}, func() error {
		if pool.taken != 0 {
			t.Errorf("while nothing arrives, %d buffers are held", pool.taken)
		}
		return failure
	}}
	accepted, err := Listen(accepting{conn: below}, newLimits()).Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := accepted.(awaitingConn)
	if !ok {
		t.Fatalf("the connection is a %T", accepted)
	}
	if got := connOf(peer.NewContext(context.Background(), &peer.Peer{AuthInfo: authInfo{conn: accepted}})); got != conn.conn {
		t.Errorf("the calls' guarded connection is %p, want %p", got, conn.conn)
	}

	below.in.WriteString(http2.ClientPreface)
	buffer, n, err := conn.ReadOnReady(size, pool)
	if err != nil || string((*buffer)[:n]) != http2.ClientPreface {
		t.Fatalf("got %q, %v", (*buffer)[:n], err)
	}
	pool.Put(buffer)

	failure = errors.New("the connection is closed")
	if _, _, err := conn.ReadOnReady(size, pool); err != failure {
		t.Errorf("got %v, want %v", err, failure)
	}
	failure = nil
	framer := http2.NewFramer(&below.in, nil)
	for range connOverheadBurst + clientOverheadBurst + 1 {
		framer.WriteRSTStream(1, http2.ErrCodeCancel)
	}
	for err == nil {
		if buffer, _, err = conn.ReadOnReady(size, pool); err == nil {
			pool.Put(buffer)
		}
	}
	if !errors.Is(err, errFlood) || pool.taken != 0 {
		t.Errorf("at the end of a flood: %v, and %d buffers are held", err, pool.taken)
	}
}

// awaitedListener accepts connections that count how often they are waited for.
type awaitedListener struct {
	net.Listener
	awaited *atomic.Int64
}

type awaitedConn struct {
	net.Conn
	awaited *atomic.Int64
}

func (l awaitedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return awaitedConn{conn, l.awaited}, err
}

func (c awaitedConn) AwaitReadable() error {
	c.awaited.Add(1)
	return nil
}

// gRPC finds the method by its name.
func TestGRPCWaitsWithoutABuffer(t *testing.T) {
	l, limits := bufconn.Listen(1<<16), newLimits()
	var awaited atomic.Int64
	s := grpc.NewServer(Options(limits)...)
	healthpb.RegisterHealthServer(s, health{})
	go s.Serve(Listen(awaitedListener{l, &awaited}, limits))
	defer s.Stop()
	client := healthpb.NewHealthClient(dial(t, l))
	if _, err := client.Check(context.Background(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	if awaited.Load() == 0 {
		t.Error("gRPC took a buffer before there was anything to read")
	}
}

// Delivered counts the messages of a call, and knows when something is left.
func TestDelivered(t *testing.T) {
	l, limits := bufconn.Listen(1<<16), newLimits()
	limits.ClientStreams = true
	s := grpc.NewServer(append(Options(limits), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		for n := uint64(1); ; n++ {
			if err := stream.RecvMsg(&healthpb.HealthCheckRequest{}); err != nil {
				return nil
			}
			for _, messages := range []uint64{n - 1, n, n + 1} {
				if got := Delivered(stream.Context(), messages); got != (messages == n) {
					t.Errorf("after %d messages: %d are delivered, and nothing is left: %v", n, messages, got)
				}
			}
			c := connOf(stream.Context())
			c.mu.Lock()
			c.unread.data++ // of a message that is not delivered
			c.mu.Unlock()
			if Delivered(stream.Context(), n) {
				t.Error("something is left, and all is delivered")
			}
			c.mu.Lock()
			c.unread.data--
			c.mu.Unlock()
			if err := stream.SendMsg(&healthpb.HealthCheckResponse{}); err != nil {
				return err
			}
		}
	}))...)
	go s.Serve(Listen(l, limits))
	defer s.Stop()
	stream, err := dial(t, l).NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/a/b")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := stream.SendMsg(&healthpb.HealthCheckRequest{Service: "epg"}); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(&healthpb.HealthCheckResponse{}); err != nil {
			t.Fatal(err)
		}
	}
}
