package load

import (
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// never makes newEcho answer no request.
const never = math.MaxInt

// newEcho starts a UDP server that answers every request after the first ones, and counts
// them.
func newEcho(t *testing.T, first int) (address string, count func() int) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan int)
	go func() {
		n := 0
		for b := make([]byte, 100); ; n++ {
			length, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				received <- n
				return
			}
			if length != len("request") {
				t.Errorf("a datagram has %d bytes, want %d", length, len("request"))
			}
			if n >= first {
				conn.WriteToUDPAddrPort(b[:length], from)
			}
		}
	}()
	return conn.LocalAddr().String(), func() int {
		conn.Close()
		return <-received
	}
}

func dial(t *testing.T, address string) *UDP {
	t.Helper()
	u, err := DialUDP(address, netip.Addr{}, []byte("request"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

func TestSaturateCountsAnswers(t *testing.T) {
	address, received := newEcho(t, 0)
	answered, took, err := dial(t, address).Saturate(20 * time.Millisecond)
	if err != nil || took < 20*time.Millisecond {
		t.Fatalf("took %v, %v", took, err)
	}
	if got := received(); answered == 0 || answered > got {
		t.Errorf("%d requests arrived and %d were answered, want some answers, and not more", got, answered)
	}
}

func TestPaceCountsLostRequests(t *testing.T) {
	address, received := newEcho(t, 0)
	took, lost, err := dial(t, address).Pace(1000, 20*time.Millisecond)
	if got := received(); err != nil || lost != 0 || len(took) != got {
		t.Errorf("%d requests arrived: got %d times, %d lost, %v", got, len(took), lost, err)
	}
	address, received = newEcho(t, never)
	u := dial(t, address)
	u.patience = 0
	took, lost, err = u.Pace(1000, 2*time.Millisecond)
	if got := received(); err != errUnanswered || lost != got || len(took) != 0 {
		t.Errorf("%d requests arrived and none was answered: got %d times, %d lost, %v", got, len(took), lost, err)
	}
}

// On a starved host there may be no answer in the time of a load. It goes on until there is
// one, but not for ever.
func TestLoadWaitsForAnAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		unanswered int // requests, at first
		load       func(u *UDP) (answered int, err error)
	}{
		"saturate": {window, func(u *UDP) (int, error) {
			answered, _, err := u.Saturate(time.Microsecond)
			return answered, err
		}},
		"pace": {3, func(u *UDP) (int, error) {
			took, _, err := u.Pace(1000, time.Microsecond)
			return len(took), err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, first := range []int{tt.unanswered, never} {
				address, received := newEcho(t, first)
				u := dial(t, address)
				timeout := unix.NsecToTimeval((10 * time.Millisecond).Nanoseconds())
				if err := unix.SetsockoptTimeval(u.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
					t.Fatal(err)
				}
				if first == never {
					u.patience = 20 * time.Millisecond
				}
				answered, err := tt.load(u)
				received()
				if first == never && err != errUnanswered || first != never && (err != nil || answered == 0) {
					t.Errorf("without an answer to the first %d requests: got %d answers, %v", first, answered, err)
				}
			}
		})
	}
}

func TestFloodKeepsItsRate(t *testing.T) {
	address, received := newEcho(t, never)
	sent, err := dial(t, address).Flood(5000, 50*time.Millisecond)
	received()
	if err != nil || sent == 0 || sent > 5000/20+burst {
		t.Errorf("sent %d, %v, want at most %d", sent, err, 5000/20+burst)
	}
}

// newHealth starts grpc-go's health server, with the service "epg" SERVING.
func newHealth(t *testing.T) (*health.Server, GRPC) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, status := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(server, status)
	status.SetServingStatus("epg", healthpb.HealthCheckResponse_SERVING)
	ended := make(chan error)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return status, GRPC{Server: l.Addr().String(), Message: []byte("\x0a\x03epg"), Connections: 3}
}

func TestGRPCCheck(t *testing.T) {
	_, g := newHealth(t)
	answered, _, err := g.Check(t.Context(), 2, 20*time.Millisecond)
	if err != nil || answered < 3*2 {
		t.Errorf("got %d answers, %v, want at least one of each call", answered, err)
	}
	if answered, _, err := g.Check(t.Context(), 2, 0); err != nil || answered < 3 {
		t.Errorf("in no time: got %d answers, %v, want at least one on each connection", answered, err)
	}
	g.Message = []byte("\x0a\x03nil")
	if answered, _, err := g.Check(t.Context(), 2, 20*time.Millisecond); err == nil {
		t.Errorf("an unknown service: got %d answers and no error", answered)
	}
}

func TestGRPCWatch(t *testing.T) {
	status, g := newHealth(t)
	w, err := g.Watch(10)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	began := time.Now()
	status.SetServingStatus("epg", healthpb.HealthCheckResponse_NOT_SERVING)
	if at, err := w.Next(time.Minute); err != nil || at.Before(began) {
		t.Errorf("got %v, %v, want a time after the change", at, err)
	}
	if at, err := w.Next(50 * time.Millisecond); err == nil {
		t.Errorf("without a change: got %v, want an error", at)
	}
}
