package agents

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/registry"
	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
)

// inBubble runs a server in a synctest bubble, over connections in memory, whose peers
// have no credentials.
func inBubble(t *testing.T, test func(t *testing.T, dial func(context.Context, string) (net.Conn, error))) {
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(64 << 10)
		server := grpc.NewServer(append(options(limits()), grpc.Creds(insecure.NewCredentials()))...)
		intakev1.RegisterIntakeServiceServer(server, New(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler)))
		served := make(chan error)
		go func() { served <- server.Serve(l) }()
		test(t, func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// took checks that the time since begun is from atLeast to atMost.
func took(t *testing.T, began time.Time, atLeast, atMost time.Duration) {
	t.Helper()
	if d := time.Since(began); d < atLeast || d > atMost {
		t.Errorf("it took %v, want %v to %v", d, atLeast, atMost)
	}
}

func TestSilentConnectionEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(context.Context, string) (net.Conn, error)) {
		began := time.Now()
		conn, err := dial(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.Copy(io.Discard, conn) // reads the server's handshake
		took(t, began, 2*time.Second, 2*time.Second)
	})
}

func TestConnectionWithoutAStreamEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(context.Context, string) (net.Conn, error)) {
		conn, err := grpc.NewClient("passthrough:", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Connect()
		for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
			conn.WaitForStateChange(t.Context(), state)
		}
		began := time.Now()
		conn.WaitForStateChange(t.Context(), connectivity.Ready)
		took(t, began, 10*time.Second, 11*time.Second)
	})
}

func TestStreamWithoutAHelloEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, dial func(context.Context, string) (net.Conn, error)) {
		conn, err := grpc.NewClient("passthrough:", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		stream, err := intakev1.NewIntakeServiceClient(conn).Stream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		if status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), "hello") {
			t.Errorf("it ended with %v", err)
		}
		took(t, began, 5*time.Second, 6*time.Second)
	})
}

// A program without a log of its own leaves a trace of its missing hello.
func TestMissingHelloIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStuckStream(t, registry.New(clock.New(), 0))
		if err := <-s.returned; status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("it ended with %v", err)
		}
		synctest.Wait()
		if s.log.Count("program refused") != 1 || s.log.Count("hello: did not come") != 1 {
			t.Errorf("the log is\n%swant one refusal", s.log)
		}
	})
}

// Only the first message has a timeout.
func TestStreamWithAHelloStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStuckStream(t, registry.New(clock.New(), 0))
		<-time.After(4 * time.Second)
		s.in <- hello("epg", "a")
		<-time.After(time.Hour)
		s.in <- goodbye()
		if err := <-s.returned; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

// A connection that is not of a Unix socket is closed: its peer has no credentials.
func TestTCPConnectionIsClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run(t, New(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler)), l)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testTimeout))
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %d bytes, %v; want the end", n, err)
	}
}
