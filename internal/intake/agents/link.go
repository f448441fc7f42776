package agents

import (
	"context"

	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// link carries what the registry says to one agent. It holds the latest
// command alone, so a slow agent makes nobody wait.
type link struct {
	commands chan uint64 // holds the number of the latest get-state command
	ended    chan error  // holds why the registry ended the session, if it did
	// caughtUp reports whether nothing that the agent has sent is unread; nil if
	// nothing ever is.
	caughtUp func() bool
}

func newLink() *link {
	return &link{commands: make(chan uint64, 1), ended: make(chan error, 1)}
}

// CaughtUp implements registry.Link.
func (l *link) CaughtUp() bool { return l.caughtUp == nil || l.caughtUp() }

// GetState implements registry.Link. The registry calls it with a lock held,
// so by one goroutine at a time.
func (l *link) GetState(number uint64) {
	select {
	case <-l.commands: // superseded
	default:
	}
	l.commands <- number
}

// End implements registry.Link. The registry calls it once.
func (l *link) End(err error) { l.ended <- err }

// sendCommands sends the command of the given number to the agent, and those after it,
// until ctx is done or sending fails, which the stream's reader finds too.
func (l *link) sendCommands(ctx context.Context, number uint64, send func(*reportv1.StreamResponse) error) {
	for send(getState(number)) == nil {
		select {
		case <-ctx.Done():
			return
		case number = <-l.commands:
		}
	}
}

func getState(number uint64) *reportv1.StreamResponse {
	return &reportv1.StreamResponse{Message: &reportv1.StreamResponse_GetState{
		GetState: &reportv1.GetState{Number: number},
	}}
}

func welcome() *reportv1.StreamResponse {
	return &reportv1.StreamResponse{Message: &reportv1.StreamResponse_Welcome{Welcome: &reportv1.Welcome{}}}
}
