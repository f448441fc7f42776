package agents

import (
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/contract"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// helloTimeout is how long a new stream may take to send its Hello. Until then it
// belongs to no session, and so the limit on sessions does not count it.
const helloTimeout = 5 * time.Second

// receiveHello receives and checks the first message of a stream. It ends the link if that
// does not arrive within helloTimeout.
func receiveHello(stream agentStream, link *link) (*reportv1.Hello, error) {
	timeout := time.AfterFunc(helloTimeout, func() {
		link.End(status.Errorf(codes.DeadlineExceeded, "hello: did not come within %v", helloTimeout))
	})
	m, err := stream.Recv()
	if !timeout.Stop() {
		<-link.ended
		return nil, link.why
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	hello := m.GetHello() // nil also if the stream ended without a message
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
