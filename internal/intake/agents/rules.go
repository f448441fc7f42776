package agents

import (
	"errors"
	"fmt"
	"io"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// The limits of the schema (proto/landmark/report/v1).
const (
	maxLandmarks = 1024
	maxText      = 128 // bytes of an instance's or a landmark's name
	maxReason    = 255 // bytes of a Condition's reason
	minWithin    = 100 * time.Millisecond
	maxDuration  = 24 * time.Hour
	// maxAge is the oldest that a fact may be said to be; more is a mistake.
	maxAge = 10 * 365 * 24 * time.Hour
)

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
	case errors.Is(err, registry.ErrForeign):
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
	if err := registry.CheckName(hello.Service); err != nil {
		return nil, invalid("hello.service", "%v", err)
	}
	return hello, checkText("hello.instance", hello.Instance, printableASCII)
}

// checkText checks a name that is shown to people, and may have only the
// characters that are allowed. That it is UTF-8 was checked in unmarshalling.
func checkText(field, text string, allowed func(rune) bool) error {
	switch {
	case text == "":
		return invalid(field, "is empty")
	case len(text) > maxText:
		return invalid(field, "is %d bytes long: %d at most", len(text), maxText)
	}
	for _, r := range text {
		if !allowed(r) {
			return invalid(field, "%q has the character %q, which it may not", text, r)
		}
	}
	return nil
}

func printableASCII(r rune) bool { return ' ' <= r && r <= '~' }

func noControl(r rune) bool { return !unicode.IsControl(r) }

// microseconds reads a duration of the schema, unless it is over limit.
func microseconds(us uint64, limit time.Duration) (time.Duration, bool) {
	if us > uint64(limit/time.Microsecond) {
		return 0, false
	}
	return time.Duration(us) * time.Microsecond, true
}
