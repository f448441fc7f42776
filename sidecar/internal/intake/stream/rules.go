package stream

import (
	"errors"
	"fmt"
	"io"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
	"github.com/landmark-health/landmark/sidecar/internal/judge"
	"github.com/landmark-health/landmark/sidecar/internal/registry"
)

// The limits of the schema (proto/landmark/report/v1).
const (
	maxLandmarks = 1024
	maxText      = 128 // bytes of an instance's or a landmark's name
	minWithin    = 100 * time.Millisecond
	maxWithin    = 24 * time.Hour
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

// readDeclaration reads what landmarks an agent declares.
func readDeclaration(d *reportv1.Declaration) ([]judge.Declared, error) {
	if len(d.Landmarks) > maxLandmarks {
		return nil, invalid("declaration.landmarks", "are %d: %d at most", len(d.Landmarks), maxLandmarks)
	}
	landmarks := make([]judge.Declared, len(d.Landmarks))
	known := make(map[string]int, len(d.Landmarks))
	for i, l := range d.Landmarks {
		field := fmt.Sprintf("declaration.landmarks[%d]", i)
		var err error
		if landmarks[i], err = readLandmark(field, l); err != nil {
			return nil, err
		}
		if j, twice := known[l.Name]; twice {
			return nil, invalid(field+".name", "%q is landmarks[%d] already", l.Name, j)
		}
		known[l.Name] = i
	}
	return landmarks, nil
}

func readLandmark(field string, l *reportv1.Landmark) (judge.Declared, error) {
	none := judge.Declared{}
	if err := checkText(field+".name", l.Name, unicode.IsPrint); err != nil {
		return none, err
	}
	if l.Kind != reportv1.Kind_KIND_ALIVE && l.Kind != reportv1.Kind_KIND_LOOP {
		return none, invalid(field+".kind", "%v is not known to this landmarkd: KIND_ALIVE and KIND_LOOP are", l.Kind)
	}
	impact := l.Impact
	if impact == reportv1.Impact_IMPACT_UNSPECIFIED {
		impact = reportv1.Impact_IMPACT_CRITICAL
	}
	if impact < 0 || impact > reportv1.Impact_IMPACT_INFORMATIONAL {
		return none, invalid(field+".impact", "%v is not known to this landmarkd", l.Impact)
	}
	within, ok := microseconds(l.WithinUs, maxWithin)
	if !ok || within < minWithin {
		return none, invalid(field+".within_us", "%d is not from 100 ms to 24 h", l.WithinUs)
	}
	startWithin, ok := microseconds(l.StartWithinUs, maxWithin)
	if !ok {
		return none, invalid(field+".start_within_us", "%d is over 24 h", l.StartWithinUs)
	}
	return judge.Declared{
		Name:        l.Name,
		Kind:        judge.Kind(l.Kind),
		Impact:      judge.Impact(impact),
		Within:      within,
		StartWithin: startWithin,
	}, nil
}

// readReport reads the facts of n declared landmarks.
func readReport(r *reportv1.Report, n int) ([]registry.Fact, error) {
	if len(r.Facts) != n {
		return nil, invalid("report.facts", "are %d, where %d landmarks are declared", len(r.Facts), n)
	}
	facts := make([]registry.Fact, n)
	for i, f := range r.Facts {
		age, ok := microseconds(f.AgeUs, maxAge)
		if !ok {
			return nil, invalid(fmt.Sprintf("report.facts[%d].age_us", i), "%d is over ten years", f.AgeUs)
		}
		lag, ok := microseconds(f.LagUs, maxAge)
		if !ok {
			return nil, invalid(fmt.Sprintf("report.facts[%d].lag_us", i), "%d is over ten years", f.LagUs)
		}
		facts[i] = registry.Fact{Reached: f.Reached, Age: age, Count: f.Count, Open: f.Open, Lag: lag}
	}
	return facts, nil
}

// microseconds reads a duration of the schema, unless it is over limit.
func microseconds(us uint64, limit time.Duration) (time.Duration, bool) {
	if us > uint64(limit/time.Microsecond) {
		return 0, false
	}
	return time.Duration(us) * time.Microsecond, true
}
