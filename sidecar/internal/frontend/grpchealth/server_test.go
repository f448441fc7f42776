package grpchealth

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

func TestStopEndsWatchesAndChangesNoVerdict(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		newProgram(t, f.registry, "vod").stall()
		up, upEnded := f.watch("epg")
		down, downEnded := f.watch("vod")
		held, heldEnded := f.watch("nobody")
		wantTold(t, "epg", up, serving)
		wantTold(t, "vod", down, notServing)
		f.stop()
		if took := f.awaitStop(); took != 0 {
			t.Errorf("stopping took %v, want no time", took)
		}
		wantTold(t, "epg, after the stop", up)
		wantTold(t, "vod, after the stop", down)
		wantTold(t, "nobody, held till the stop", held)
		for _, ended := range []<-chan error{upEnded, downEnded, heldEnded} {
			s := status.Convert(<-ended)
			if s.Code() != codes.Unavailable || s.Message() != "landmarkd is stopping" {
				t.Errorf("Watch ended with %v, want Unavailable: landmarkd is stopping", s.Err())
			}
		}
	})
}

func TestStopLetsChecksFinish(t *testing.T) {
	inBubble(t, time.Second, func(t *testing.T, f *fixture) {
		time.AfterFunc(300*time.Millisecond, newProgram(t, f.registry, "epg").work)
		time.AfterFunc(100*time.Millisecond, f.stop)
		if got, err := f.check("epg"); err != nil || got != serving {
			t.Errorf("%v, %v, want %v", got, err, serving)
		}
		if took := f.awaitStop(); took != 0 {
			t.Errorf("stopping took %v beyond the answer, want no time", took)
		}
	})
}

func TestStopWaitsForNoClient(t *testing.T) {
	for name, hold := range map[string]func(t *testing.T, f *fixture){
		"a stream left open": func(t *testing.T, f *fixture) {
			if _, err := f.reflect(t); err != nil {
				t.Fatal(err)
			}
		},
		"a connection that never speaks": func(t *testing.T, f *fixture) {
			if _, err := f.listener.DialContext(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"a connection that never reads": func(t *testing.T, f *fixture) {
			f.speakHTTP2(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 0, func(t *testing.T, f *fixture) {
				hold(t, f)
				synctest.Wait()
				f.stop()
				if took := f.awaitStop(); took > 2*time.Second {
					t.Errorf("stopping took %v, want 2 s at most", took)
				}
			})
		})
	}
}

func TestRunReturnsAListenersFailure(t *testing.T) {
	broken, sound := listen(t, "tcp", "127.0.0.1:0"), listen(t, "tcp", "127.0.0.1:0")
	broken.Close()
	err := New(registry.New(runningClock(t), 0)).Run(t.Context(), broken, sound)
	if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), broken.Addr().String()) {
		t.Errorf("Run: %v, want the failure of %v", err, broken.Addr())
	}
	if _, err := sound.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the other listener: %v, want it closed", err)
	}
}

func TestRunThatIsOverBeforeItBeginsClosesItsListener(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(registry.New(runningClock(t), 0)).Run(ctx, l); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener: %v, want it closed", err)
	}
}

func TestRunServesEachListener(t *testing.T) {
	r := registry.New(runningClock(t), 0)
	newProgram(t, r, "epg").work()
	tcp, unix := listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", filepath.Join(t.TempDir(), "grpc.sock"))
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- New(r).Run(ctx, tcp, unix) }()
	for _, target := range []string{tcp.Addr().String(), "unix:" + unix.Addr().String()} {
		conn := dial(t, target)
		got, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: "epg"})
		if err != nil || got.GetStatus() != serving {
			t.Errorf("%s: %v, %v, want %v", target, got, err, serving)
		}
		conn.Close()
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCompressedQuestionsAreAnswered(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		newProgram(t, f.registry, "epg").work()
		r, err := f.client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "epg"}, grpc.UseCompressor("gzip"))
		if err != nil || r.GetStatus() != serving {
			t.Errorf("%v, %v, want %v", r, err, serving)
		}
		_, err = f.client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: strings.Repeat("x", maxMessage)}, grpc.UseCompressor("gzip"))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a question that is long once decompressed: %v, want ResourceExhausted", err)
		}
	})
}

// reflect asks which services there are, and leaves the stream open.
func (f *fixture) reflect(t *testing.T) ([]string, error) {
	stream, err := reflectionpb.NewServerReflectionClient(f.conn).ServerReflectionInfo(t.Context())
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

func TestReflectionTellsTheHealthService(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		names, err := f.reflect(t)
		if err != nil || !slices.Contains(names, "grpc.health.v1.Health") {
			t.Errorf("%q, %v, want grpc.health.v1.Health among them", names, err)
		}
	})
}

// speakHTTP2 opens a connection of HTTP/2 and returns it with its framer, for
// what grpc-go's client does not do.
func (f *fixture) speakHTTP2(t *testing.T) (net.Conn, *http2.Framer) {
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

func TestStreamsOfAConnectionAreLimited(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c, framer := f.speakHTTP2(t)
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

// grpc-go's client pings every ten seconds at most, Envoy's as often as it is
// told to.
func TestPingsOneASecondAreAllowed(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		c, framer := f.speakHTTP2(t)
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
					t.Fatalf("the server ends the connection: %v", frame)
				case *http2.PingFrame:
					acknowledged = frame.IsAck()
				}
			}
			time.Sleep(time.Second)
		}
	})
}
