package agents

import (
	"context"

	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// link implements registry.Link for one agent. It holds only the latest command, so
// a slow agent blocks no other.
type link struct {
	commands chan uint64   // holds the number of the latest get-state command
	ended    chan struct{} // closed by End
	why      error         // the argument of End; set before ended is closed

	// Set before the session is opened.
	caughtUp func() bool // all that the agent has sent has been read
	hasEnded func() bool // the agent has ended its connection or stream
}

func newLink() *link { return &link{commands: make(chan uint64, 1), ended: make(chan struct{})} }

// CaughtUp implements registry.Link.
func (l *link) CaughtUp() bool { return l.caughtUp() }

// HasEnded implements registry.Link.
func (l *link) HasEnded() bool { return l.hasEnded() }

// GetState implements registry.Link. The registry calls it with a lock held, so one
// goroutine at a time calls it.
func (l *link) GetState(number uint64) {
	select {
	case <-l.commands: // superseded
	default:
	}
	l.commands <- number
}

// End implements registry.Link. It is called once at most: by the registry, or before there is
// a session, when no hello comes.
func (l *link) End(err error) {
	l.why = err
	close(l.ended)
}

// whyEnded returns the argument of End, nil if that was not called.
func (l *link) whyEnded() error {
	select {
	case <-l.ended:
		return l.why
	default:
		return nil
	}
}

// sendCommands sends the command with the number, and those that follow, until ctx
// is done or send fails. The receiver finds the same failure.
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
