package agent

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// bufferSize is how much gRPC reads and writes at once, in bytes. Messages are
// small, so its default of 32 KiB each would mostly lie idle.
const bufferSize = 4 << 10

// maxAnswer is the most that a message from the sidecar may hold, in bytes.
const maxAnswer = 64 << 10

// A dialer opens a connection to the sidecar's socket.
type dialer func(context.Context) (net.Conn, error)

// unixDialer dials the Unix socket at path.
func unixDialer(path string) dialer {
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
}

// newClient returns a gRPC client over conn and nothing else: when conn breaks
// it is of no more use, for to dial again is the agent's affair.
func newClient(conn net.Conn) (*grpc.ClientConn, error) {
	var taken atomic.Bool
	take := func(context.Context, string) (net.Conn, error) {
		if taken.Swap(true) {
			return nil, errors.New("the connection broke")
		}
		return conn, nil
	}
	return grpc.NewClient("passthrough:///agent.sock",
		grpc.WithContextDialer(take),
		grpc.WithAuthority("localhost"), // the path of a socket is not a valid one
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithReadBufferSize(bufferSize),
		grpc.WithWriteBufferSize(bufferSize),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
	)
}
