package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/duration"
	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// callTimeout is how long one call may take. It is seconds because a landmarkd that
// has just started waits for its programs before it answers.
const callTimeout = 5 * time.Second

// statusClient is the flags of a command that shows something.
type statusClient struct {
	address string
	format  format
}

// statusFlags declares them.
func statusFlags(flags *flag.FlagSet) *statusClient {
	c := &statusClient{format: asTable}
	flags.StringVar(&c.address, "addr", net.JoinHostPort("127.0.0.1", strconv.Itoa(contract.GRPCPort)), "connect to landmarkd at `HOST:PORT` or unix:PATH, its -grpc")
	flags.Var(&c.format, "o", "print as `FORMAT`: table or json")
	return c
}

// connect returns a connection, and a client of its status service.
func (c *statusClient) connect() (*connection, statusv1.StatusServiceClient, error) {
	conn, err := connect(c.address, "addr")
	if err != nil {
		return nil, nil, err
	}
	return conn, statusv1.NewStatusServiceClient(conn), nil
}

// adminClient is the flags of a command that changes something.
type adminClient struct{ socket string }

// adminFlags declares them.
func adminFlags(flags *flag.FlagSet) *adminClient {
	var c adminClient
	flags.StringVar(&c.socket, "admin-socket", contract.AdminSocket(), "connect to landmarkd over the Unix socket `PATH`, its -admin-socket")
	return &c
}

// call makes one call.
func (c *adminClient) call(ctx context.Context, method func(context.Context, adminv1.AdminServiceClient) error) error {
	conn, err := connect("unix:"+c.socket, "admin-socket")
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := method(ctx, adminv1.NewAdminServiceClient(conn)); err != nil {
		return conn.explain(ctx, err)
	}
	return nil
}

// connection is a connection to a landmarkd.
type connection struct {
	*grpc.ClientConn
	address string // as the user gave it
	flag    string // that gives it
}

// connect returns a connection to HOST:PORT or unix:PATH. It is made at the first
// call.
func connect(address, flag string) (*connection, error) {
	// By this resolver gRPC tries all addresses of a name, side by side.
	target, where := "dns:///"+url.PathEscape(address), address
	var dialer grpc.DialOption = grpc.EmptyDialOption{}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if path == "" {
			return nil, badArguments("-%s has no path: give that of landmarkd's socket", flag)
		}
		target, where = "passthrough:///landmarkd", path
		dialer = grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		})
	} else if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return nil, badArguments("-%s %q is neither HOST:PORT, such as 127.0.0.1:19534 or [::1]:19534, nor unix:PATH", flag, address)
	}
	conn, err := grpc.NewClient(target,
		dialer,
		grpc.WithAuthority("localhost"), // the path of a socket is not a valid authority
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: callTimeout,
		}),
		// Detects that landmarkd is stopped or its machine is gone.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: callTimeout}),
	)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", where, err)
	}
	return &connection{conn, where, flag}, nil
}

// explain returns the error of a call as a user needs it: what it means, and what to
// do.
func (c *connection) explain(ctx context.Context, err error) error {
	s, isStatus := status.FromError(err)
	switch {
	case !isStatus:
		return err
	case ctx.Err() == context.Canceled:
		return exitError{exitInterrupted, fmt.Errorf("interrupted before landmarkd at %s answered", c.address)}
	case s.Code() == codes.DeadlineExceeded:
		return exitError{exitNoAnswer, fmt.Errorf("landmarkd at %s did not answer within %s: check that it is not frozen, and the network", c.address, duration.Format(callTimeout))}
	case s.Code() == codes.Unavailable:
		return exitError{exitNoAnswer, fmt.Errorf("no answer from a landmarkd at %s: %s: check that it runs and listens there, or give -%s", c.address, cause(s), c.flag)}
	case s.Code() == codes.Unimplemented:
		return exitError{exitRefused, fmt.Errorf("the server at %s does not have this call: check -%s, and that it is a landmarkd of this version, %s", c.address, c.flag, version)}
	}
	return exitError{exitRefused, fmt.Errorf("%s", s.Message())}
}

// cause returns what gRPC met, without gRPC's own words around it.
func cause(s *status.Status) string {
	if s.Message() == "name resolver error: produced zero addresses" {
		return "its name has no address"
	}
	if strings.Contains(s.Message(), "error reading server preface") {
		return "the connection ended before gRPC began, as at a port that is not landmarkd's -grpc"
	}
	_, text, dialing := strings.Cut(s.Message(), "Error while dialing: ")
	if !dialing {
		return s.Message()
	}
	return strings.TrimSuffix(text, `"`)
}
