package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// bufferSize is the size of gRPC's read buffer and of its write buffer, in bytes.
// Messages are small, so most of its default of 32 KiB each would be unused.
const bufferSize = 4 << 10

// windowSize is how many bytes the sidecar may send before they are read. gRPC accepts no
// smaller window. A fixed window also stops gRPC from measuring the connection, by a ping
// for each command of the sidecar.
const windowSize = 64 << 10

// maxResponse is the maximum size of a message from the sidecar, in bytes.
const maxResponse = 64 << 10

// A dialer opens a connection to the sidecar's socket.
type dialer func(context.Context) (net.Conn, error)

// unixDialer dials the Unix socket at path.
func unixDialer(path string) dialer {
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
}

// newClient returns a gRPC client that uses only conn. It does not redial: when
// conn breaks, the agent makes a new client.
func newClient(conn net.Conn) (*grpc.ClientConn, error) {
	var used atomic.Bool
	dial := func(context.Context, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errors.New("the connection broke")
		}
		return conn, nil
	}
	return grpc.NewClient("passthrough:///agent.sock",
		grpc.WithContextDialer(dial),
		grpc.WithAuthority("localhost"), // a socket's path is not a valid authority
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithReadBufferSize(bufferSize),
		grpc.WithWriteBufferSize(bufferSize),
		grpc.WithStaticStreamWindowSize(windowSize),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponse)),
	)
}

const (
	minDelay = 50 * time.Millisecond
	maxDelay = 500 * time.Millisecond
	jitter   = 0.2 // of the delay, shorter or longer

	// refusedDelay is the interval between attempts while the sidecar refuses this
	// program. It is long, because only a person can change that.
	refusedDelay = 5 * time.Second

	// establishedAfter is the uptime after which the end of a welcomed stream leads
	// to an immediate redial. A sidecar that welcomes and hangs up must not make
	// the agent spin.
	establishedAfter = maxDelay
)

// A backoff computes the delay before the next dial. The zero value is ready to
// use.
type backoff struct {
	last time.Duration // without jitter; -1 after an established stream
}

// established records that the stream that just ended was established.
func (b *backoff) established() { b.last = -1 }

// delay returns 0 after an established stream, then 50 ms, doubling to 500 ms, each
// up to 20 % shorter or longer.
func (b *backoff) delay() time.Duration {
	if b.last < 0 {
		b.last = 0
		return 0
	}
	b.last = min(max(2*b.last, minDelay), maxDelay)
	return jittered(b.last)
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64()))
}
