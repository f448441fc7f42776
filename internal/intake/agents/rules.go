package agents

import (
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// maxAge is the greatest age that a fact may have; more is a mistake.
const maxAge = 10 * 365 * 24 * time.Hour

// invalid is the error for a message whose field breaks a rule.
func invalid(field, format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, "%s: %s", field, fmt.Sprintf(format, args...))
}

// statusOf puts the registry's errors into gRPC's words; a status stays what
// it is.
func statusOf(err error) error {
	switch _, already := status.FromError(err); {
	case already:
		return err
	case errors.Is(err, registry.ErrNotOwner):
		return status.Errorf(codes.PermissionDenied, "hello.service: %v", err)
	case errors.Is(err, registry.ErrReplaced):
		return status.Errorf(codes.Aborted, "hello.instance: %v", err)
	case errors.Is(err, registry.ErrLimit):
		return status.Errorf(codes.ResourceExhausted, "hello.service: %v", err)
	default:
		return status.Error(codes.Unavailable, err.Error())
	}
}

// receiveHello takes a stream's first message.
func receiveHello(stream agentStream) (*reportv1.Hello, error) {
	m, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	hello := m.GetHello() // nil also where the stream ended before it began
	if hello == nil {
		return nil, invalid("hello", "must be the first message of a stream")
	}
	if err := contract.CheckServiceName(hello.Service); err != nil {
		return nil, invalid("hello.service", "%v", err)
	}
	if err := contract.CheckInstanceName(hello.Instance); err != nil {
		return nil, invalid("hello.instance", "%v", err)
	}
	return hello, nil
}

// microseconds reads a duration of the schema, unless it is over limit.
func microseconds(us uint64, limit time.Duration) (time.Duration, bool) {
	if us > uint64(limit/time.Microsecond) {
		return 0, false
	}
	return time.Duration(us) * time.Microsecond, true
}
