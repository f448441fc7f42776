package agent

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// A stream is one session with the sidecar, from Hello to its end. It carries
// the reporter's messages one at a time: the reporter composes the next only
// when the one before was taken.
type stream struct {
	grpc.BidiStreamingClient[reportv1.StreamRequest, reportv1.StreamResponse]
	wire       *wire
	reporter   *reporter
	outlet     *outlet
	onWelcome  func()
	welcomedAt time.Time // zero = not yet; for receive alone until it has ended
}

// An ending says how a stream ended.
type ending struct {
	err    error         // io.EOF when the sidecar ended it without complaint
	stood  time.Duration // since it was welcomed, 0 if it never was
	opened bool          // there was a stream, on which a goodbye could be said
}

// connect dials, says hello and carries messages until the stream ends. Once
// closing is done it says goodbye and waits for the sidecar to end the stream;
// ctx ends it at once.
func (a *Agent) connect(ctx, closing context.Context) ending {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Until there is a stream there is nobody to say goodbye to.
	unhook := context.AfterFunc(closing, cancel)

	conn, err := a.dial(ctx)
	if err != nil {
		return ending{err: err}
	}
	defer conn.Close() // for the case that the client never took it
	wire := newWire(conn)
	client, err := newClient(wire)
	if err != nil {
		return ending{err: err}
	}
	defer client.Close()
	session, err := intakev1.NewIntakeServiceClient(client).Stream(ctx)
	if err != nil {
		return ending{err: err}
	}
	if !unhook() {
		return ending{err: context.Canceled}
	}

	s := &stream{
		BidiStreamingClient: session,
		wire:                wire,
		reporter:            a.reporter,
		outlet:              newOutlet(),
		onWelcome:           func() { a.logger.Info("reporting to the sidecar") },
	}
	return s.carry(closing, helloMessage(a.service, a.instance, a.reporter.clock.Name()))
}

// carry works until the stream ends.
func (s *stream) carry(closing context.Context, hello *reportv1.StreamRequest) ending {
	end := ending{opened: true}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		end.err = s.receive(closing)
	}()
	// A failure to send ends the stream: receive tells why.
	if s.Send(hello) == nil {
		s.send(closing, ended)
	}
	<-ended
	if !s.welcomedAt.IsZero() {
		end.stood = time.Since(s.welcomedAt)
	}
	return end
}

const (
	// maxUnread is how many messages may be unread by the sidecar. More would
	// only be older than what can be said once it reads again, and reading them
	// would keep it from that.
	maxUnread = 64
	// lookAgain is how often it is then looked whether the sidecar has read them.
	lookAgain = 10 * time.Millisecond
)

// send carries the reporter's messages until the stream has ended, or says
// goodbye when closing is done.
func (s *stream) send(closing context.Context, ended <-chan struct{}) {
	unread := 0
	for {
		for unread >= maxUnread && !s.wire.taken() {
			select {
			case <-time.After(lookAgain):
			case <-closing.Done():
				s.part()
				return
			case <-ended:
				return
			}
		}
		select {
		case s.reporter.ready <- s.outlet:
		case <-closing.Done():
			s.part()
			return
		case <-ended:
			return
		}
		select {
		case m := <-s.outlet.messages:
			if s.wire.taken() {
				unread = 0
			}
			unread++
			s.wire.sends(proto.Size(m))
			if s.Send(m) != nil {
				return
			}
		case <-closing.Done():
			s.part()
			return
		case <-ended:
			return
		}
	}
}

// part says goodbye, upon which the sidecar ends the stream.
func (s *stream) part() {
	if s.Send(goodbyeMessage()) == nil {
		s.CloseSend() // its error is always nil
	}
}

// receive takes what the sidecar says until the stream ends, and returns why it
// did.
func (s *stream) receive(closing context.Context) error {
	for {
		m, err := s.Recv()
		if err != nil {
			return err
		}
		switch m := m.Message.(type) {
		case *reportv1.StreamResponse_Welcome:
			if s.welcomedAt.IsZero() {
				s.welcomedAt = time.Now()
				s.onWelcome()
			}
		case *reportv1.StreamResponse_GetState:
			select {
			case s.reporter.questions <- question{s.outlet, m.GetState.GetNumber()}:
			case <-closing.Done(): // the reporter is gone
			}
		}
	}
}
