package grpcserver

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
)

func TestRunReturnsListenerError(t *testing.T) {
	broken, sound := listen(t, "tcp", "127.0.0.1:0"), listen(t, "tcp", "127.0.0.1:0")
	broken.Close()
	err := New(Config{Listeners: []net.Listener{broken, sound}}).Run(t.Context())
	if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), broken.Addr().String()) {
		t.Errorf("Run: %v, want the error of %v", err, broken.Addr())
	}
	if _, err := sound.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the other listener returned %v, want it closed", err)
	}
}

func TestRunWithDoneContextClosesListener(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(Config{Listeners: []net.Listener{l}}).Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener returned %v, want it closed", err)
	}
}

// A call that the server refuses is counted. One that ends for its client's sake, or that is
// about an unknown name, is not.
func TestRefusedCallsAreCounted(t *testing.T) {
	s := New(Config{})
	defer s.grpc.Stop()
	for _, code := range []codes.Code{codes.OK, codes.Unavailable, codes.Unavailable, codes.InvalidArgument, codes.NotFound, codes.Canceled} {
		s.countUnary(t.Context(), nil, nil, func(context.Context, any) (any, error) { return nil, status.Error(code, "") })
	}
	want := map[string]uint64{"unavailable": 2, "invalid_argument": 1, "resource_exhausted": 0, "rate": 0}
	if got := maps.Collect(s.Refused); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRunServesEachListener(t *testing.T) {
	tcp, unix := listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", filepath.Join(t.TempDir(), "grpc.sock"))
	ctx, cancel := context.WithCancel(t.Context())
	server, answer := New(Config{Listeners: []net.Listener{tcp, unix}}), make(chan struct{})
	close(answer)
	healthpb.RegisterHealthServer(server, &service{answer: answer})
	stopped := make(chan error)
	go func() { stopped <- server.Run(ctx) }()
	for _, target := range []string{tcp.Addr().String(), "unix:" + unix.Addr().String()} {
		conn := frontendtest.Dial(t, target)
		got, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		if err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%s: %v, %v, want an answer", target, got, err)
		}
		conn.Close()
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestCompressedRequestIsAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		close(f.answer)
		_, err := f.client.Check(t.Context(), &healthpb.HealthCheckRequest{}, grpc.UseCompressor("gzip"))
		if err != nil {
			t.Errorf("%v, want an answer", err)
		}
		_, err = f.client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: strings.Repeat("x", maxMessage)}, grpc.UseCompressor("gzip"))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a request that is too long after decompression: %v, want ResourceExhausted", err)
		}
	})
}

// reflect asks reflection for the services, and leaves the stream open.
func (f *fixture) reflect(t *testing.T) ([]string, error) {
	stream, err := reflectionpb.NewServerReflectionClient(f.Conn).ServerReflectionInfo(t.Context())
	if err != nil {
		return nil, err
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
	}); err != nil {
		return nil, err
	}
	r, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range r.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	return names, nil
}

func TestReflectionListsServices(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		names, err := f.reflect(t)
		if err != nil || !slices.Contains(names, "grpc.health.v1.Health") {
			t.Errorf("%q, %v, want grpc.health.v1.Health among them", names, err)
		}
	})
}

// dialHTTP2 opens an HTTP/2 connection, for what grpc-go's client cannot do.
func (f *fixture) dialHTTP2(t *testing.T) (net.Conn, *http2.Framer) {
	t.Helper()
	c, err := f.listener.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(c, c)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c, framer
}

func TestStreamsPerConnectionAreLimited(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		c, framer := f.dialHTTP2(t)
		defer c.Close()
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		n, ok := frame.(*http2.SettingsFrame).Value(http2.SettingMaxConcurrentStreams)
		if !ok || n != maxStreams {
			t.Errorf("the server allows %d streams at once, want %d", n, maxStreams)
		}
	})
}

// Half of landmarkd's memory is for open streams, as docs/operations.md says.
func TestOpenStreamsFollowTheMemoryLimit(t *testing.T) {
	for memory, want := range map[int64]int{1: 1024, 100 << 20: 1384, 512 << 20: 10_240, math.MaxInt64: 10_240} {
		if got := maxOpen(memory); got != want {
			t.Errorf("%d streams may be open in %d bytes, want %d", got, memory, want)
		}
	}
}

// grpc-go's client pings at most every ten seconds, Envoy as often as it is
// configured to.
func TestOnePingPerSecondIsAllowed(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		c, framer := f.dialHTTP2(t)
		defer c.Close()
		for range 20 {
			if err := framer.WritePing(false, [8]byte{}); err != nil {
				t.Fatal(err)
			}
			for acknowledged := false; !acknowledged; {
				frame, err := framer.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				switch frame := frame.(type) {
				case *http2.GoAwayFrame:
					t.Fatalf("the server closes the connection: %v", frame)
				case *http2.PingFrame:
					acknowledged = frame.IsAck()
				}
			}
			time.Sleep(time.Second)
		}
	})
}
