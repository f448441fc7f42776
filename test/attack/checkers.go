package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
	"github.com/landmark-health/landmark/test/bfdpeer"
)

// The honest checkers.
const (
	lmpUDP    = "LMP by UDP"
	lmpTCP    = "LMP by TCP"
	grpcCheck = "gRPC Check"
	httpCheck = "HTTP"
	grpcWatch = "gRPC Watch"
	trackFile = "track file"
	openGate  = "gate"
	// bfdSession and the peer's address are the checker that holds a BFD session.
	bfdSession = "BFD with "
)

// sendsRequests reports whether the checker sends requests. The other ones keep the
// last answer that they got. A gate's checker sends nothing, and whether its
// connection is made in time is up to the kernel.
func sendsRequests(by string) bool {
	return by != grpcWatch && by != trackFile && by != openGate && !holdsSession(by)
}

// holdsSession reports whether the checker is the peer of a BFD session.
func holdsSession(by string) bool { return strings.HasPrefix(by, bfdSession) }

// checkers check services until they are stopped.
type checkers struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	samples []sample           // guarded by mu
	last    map[checker]sample // of each checker; guarded by mu
}

// checker is one checker of one service.
type checker struct{ by, service string }

func newCheckers() *checkers {
	c := &checkers{last: make(map[checker]sample)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// start starts a checker of the service by every protocol. TCP, gRPC Check and
// HTTP open a connection for each request, as keepalived and kubelet do.
func (c *checkers) start(d *sidecar, service string) {
	c.every(lmpUDP, service, 10*time.Millisecond, func(ctx context.Context) (answer, string) {
		return checkLMP(ctx, "udp", d.monitor, service)
	})
	c.every(lmpTCP, service, 25*time.Millisecond, func(ctx context.Context) (answer, string) {
		return checkLMP(ctx, "tcp", d.monitor, service)
	})
	c.every(grpcCheck, service, 50*time.Millisecond, func(ctx context.Context) (answer, string) {
		return checkGRPC(ctx, d.grpc, service)
	})
	c.every(httpCheck, service, 50*time.Millisecond, func(ctx context.Context) (answer, string) {
		return checkHTTP(ctx, d.http, service)
	})
	c.watch(d.grpc, service)
}

// every checks at an interval, each time with a timeout of a second.
func (c *checkers) every(by, service string, interval time.Duration, check func(ctx context.Context) (answer, string)) {
	c.mu.Lock()
	c.last[checker{by, service}] = sample{}
	c.mu.Unlock()
	c.running.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for c.ctx.Err() == nil {
			ctx, cancel := context.WithTimeout(c.ctx, time.Second)
			begun := time.Now()
			got, why := check(ctx)
			cancel()
			if c.ctx.Err() != nil {
				return
			}
			c.add(sample{by, service, begun, time.Now(), got, why})
			select {
			case <-ticker.C:
			case <-c.ctx.Done():
			}
		}
	})
}

func (c *checkers) add(s sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.samples = append(c.samples, s)
	c.last[checker{s.by, s.service}] = s
}

// agree reports whether every checker of the service has got the answer to a check
// that began after the time.
func (c *checkers) agree(service string, want answer, after time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for who, s := range c.last {
		if who.service == service && (s.answer != want || !s.begun.After(after)) {
			return false
		}
	}
	return true
}

// end stops the checkers and returns the answers that they got.
func (c *checkers) end() []sample {
	c.stop()
	c.running.Wait()
	return c.samples
}

// checkLMP checks once by LMP.
func checkLMP(ctx context.Context, network, address, service string) (answer, string) {
	a, err := probe.Do(ctx, probe.Request{Network: network, Address: address, Kind: lmp.KindCheck, Service: service})
	switch {
	case err != nil:
		return none, err.Error()
	case a.Status == lmp.StatusServing:
		return serving, "SERVING"
	default:
		return notServing, "NOT_SERVING " + a.Cause.String()
	}
}

// checkGRPC checks once by grpc.health.v1.
func checkGRPC(ctx context.Context, address, service string) (answer, string) {
	conn, err := dialGRPC("passthrough:///" + address)
	if err != nil {
		return none, err.Error()
	}
	defer conn.Close()
	r, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: service})
	switch {
	case err != nil && strings.Contains(err.Error(), "NotFound"):
		return notServing, "NOT_FOUND"
	case err != nil:
		return none, err.Error()
	}
	return fromGRPC(r), r.Status.String()
}

// watch holds a gRPC Watch and reopens it when it ends. The last message is its
// answer at any time.
func (c *checkers) watch(address, service string) {
	var mu sync.Mutex
	var last answer
	var why string
	set := func(a answer, s string) { mu.Lock(); last, why = a, s; mu.Unlock() }
	c.running.Go(func() {
		conn, err := dialGRPC("passthrough:///" + address)
		if err != nil {
			return
		}
		defer conn.Close()
		for c.ctx.Err() == nil {
			stream, err := healthpb.NewHealthClient(conn).Watch(c.ctx, &healthpb.HealthCheckRequest{Service: service}, grpc.WaitForReady(true))
			for err == nil {
				var r *healthpb.HealthCheckResponse
				if r, err = stream.Recv(); err == nil {
					set(fromGRPC(r), r.Status.String())
				}
			}
			set(none, err.Error())
			time.Sleep(20 * time.Millisecond)
		}
	})
	c.every(grpcWatch, service, 20*time.Millisecond, func(context.Context) (answer, string) {
		mu.Lock()
		defer mu.Unlock()
		return last, why
	})
}

// readTrackFile adds a checker whose answer is the content of the track file.
func (c *checkers) readTrackFile(dir, service string) {
	c.every(trackFile, service, 20*time.Millisecond, func(context.Context) (answer, string) {
		b, err := os.ReadFile(filepath.Join(dir, service))
		switch content := strings.TrimSpace(string(b)); {
		case err != nil || content == "":
			return none, "no file"
		case content == "0":
			return serving, "0 in the file"
		default:
			return notServing, content + " in the file"
		}
	})
}

// connect adds a checker that opens a connection to the service's gate.
func (c *checkers) connect(address, service string) {
	c.every(openGate, service, 20*time.Millisecond, func(ctx context.Context) (answer, string) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
			return notServing, "refused"
		case err != nil:
			return none, err.Error()
		}
		conn.Close()
		return serving, "open"
	})
}

// holdSession adds a checker whose answer is the state of the peer's session.
func (c *checkers) holdSession(peer *bfdpeer.Peer, p bfd.Peering) {
	c.every(bfdSession+p.Peer.String(), p.Service, 20*time.Millisecond, func(context.Context) (answer, string) {
		state := peer.State()
		if state == bfd.Up {
			return serving, state.String()
		}
		return notServing, state.String()
	})
}

func fromGRPC(r *healthpb.HealthCheckResponse) answer {
	if r.Status == healthpb.HealthCheckResponse_SERVING {
		return serving
	}
	return notServing
}

func dialGRPC(target string) (*grpc.ClientConn, error) {
	return grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
}
