package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// patience is how long one question may take to be answered: some seconds, for
// a landmarkd that has just started waits for its programs.
const patience = 5 * time.Second

// connection is a connection to a landmarkd.
type connection struct {
	*grpc.ClientConn
	where string // as the person gave it
	flag  string // by which it can be given
}

// connect returns a connection, which is made once it is used, to HOST:PORT or
// unix:PATH.
func connect(address, flag string) (*connection, error) {
	// gRPC tries the addresses of a name side by side, those that never answer too.
	target, where := "dns:///"+url.PathEscape(address), address
	var dialer grpc.DialOption = grpc.EmptyDialOption{}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		target, where = "passthrough:///landmarkd", path
		dialer = grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		})
	} else if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return nil, badArguments("-%s %q is neither HOST:PORT, as 127.0.0.1:19534 or [::1]:19534, nor unix:PATH", flag, address)
	}
	conn, err := grpc.NewClient(target,
		dialer,
		grpc.WithAuthority("localhost"), // the path of a socket is not a valid one
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: patience,
		}),
		// Finds a landmarkd whose machine is gone, or that was stopped.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: patience}),
	)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", where, err)
	}
	return &connection{conn, where, flag}, nil
}

// failure says of a call's error what it means and what to do.
func (c *connection) failure(ctx context.Context, err error) error {
	s, called := status.FromError(err)
	switch {
	case !called:
		return err
	case ctx.Err() == context.Canceled: // its cause is the signal
		return failure{exitInterrupted, fmt.Errorf("interrupted before landmarkd at %s answered", c.where)}
	case s.Code() == codes.DeadlineExceeded:
		return failure{exitNoAnswer, fmt.Errorf("landmarkd at %s did not answer within %s: see whether it is frozen, or the network", c.where, span(patience))}
	case s.Code() == codes.Unavailable:
		return failure{exitNoAnswer, fmt.Errorf("no answer from a landmarkd at %s: %s: see that it runs and listens there, or give -%s", c.where, cause(s), c.flag)}
	case s.Code() == codes.Unimplemented:
		return failure{exitRefused, fmt.Errorf("what answers at %s does not know this question: see that it is a landmarkd of this version, %s", c.where, version)}
	}
	return failure{exitRefused, fmt.Errorf("%s", s.Message())}
}

// cause returns what gRPC found in the way, without what it says around it.
func cause(s *status.Status) string {
	if s.Message() == "name resolver error: produced zero addresses" {
		return "its name has no address"
	}
	_, text, dialing := strings.Cut(s.Message(), "Error while dialing: ")
	if !dialing {
		return s.Message()
	}
	return strings.TrimSuffix(text, `"`)
}
