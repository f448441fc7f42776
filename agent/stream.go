package agent

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

const (
	// maxUnread is the maximum number of messages that the sidecar has not read.
	// More would only delay the report that it needs once it reads again.
	maxUnread = 64
	// unreadInterval is how often to check then whether the sidecar has read them.
	unreadInterval = 10 * time.Millisecond
)

// A stream is one session with the sidecar, from Hello to its end. It sends the
// reporter's messages one at a time: the reporter makes the next one only when the
// previous one was sent.
type stream struct {
	grpc.BidiStreamingClient[reportv1.StreamRequest, reportv1.StreamResponse]
	conn       *conn
	reporter   *reporter
	mailbox    *mailbox
	onWelcome  func()
	welcomedAt time.Time // zero = not yet; belongs to receive until it returns
}

// A streamResult is how a stream ended.
type streamResult struct {
	err    error         // io.EOF if the sidecar ended the stream without an error
	uptime time.Duration // since the welcome, 0 if there was none
	opened bool          // there was a stream, so a goodbye was possible
}

// connect dials, says hello and sends messages until the stream ends. Once closing
// is done, it says goodbye and waits until the sidecar ends the stream. When ctx is
// done, it returns at once.
func (a *Agent) connect(ctx, closing context.Context) streamResult {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Before there is a stream, no goodbye is possible.
	keepOpen := context.AfterFunc(closing, cancel)

	netConn, err := a.dial(ctx)
	if err != nil {
		return streamResult{err: err}
	}
	defer netConn.Close() // in case the client never used it
	conn := newConn(netConn)
	client, err := newClient(conn)
	if err != nil {
		return streamResult{err: err}
	}
	defer client.Close()
	session, err := intakev1.NewIntakeServiceClient(client).Stream(ctx)
	if err != nil {
		return streamResult{err: err}
	}
	if !keepOpen() {
		return streamResult{err: context.Canceled}
	}

	s := &stream{
		BidiStreamingClient: session,
		conn:                conn,
		reporter:            a.reporter,
		mailbox:             newMailbox(),
		onWelcome:           func() { a.logger.Info("reporting to landmarkd") },
	}
	return s.run(closing, helloMessage(a.service, a.instance, a.reporter.clock.Name()))
}

// run works until the stream ends.
func (s *stream) run(closing context.Context, hello *reportv1.StreamRequest) streamResult {
	result := streamResult{opened: true}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		result.err = s.receive(closing)
	}()
	// A failure to send ends the stream. receive returns the reason.
	if s.Send(hello) == nil {
		s.send(closing, ended)
	}
	<-ended
	if !s.welcomedAt.IsZero() {
		result.uptime = time.Since(s.welcomedAt)
	}
	return result
}

// send sends the reporter's messages until the stream has ended, or says goodbye
// when closing is done.
func (s *stream) send(closing context.Context, ended <-chan struct{}) {
	unread := 0
	for {
		for unread >= maxUnread && !s.conn.allRead() {
			select {
			case <-time.After(unreadInterval):
			case <-closing.Done():
				s.sayGoodbye()
				return
			case <-ended:
				return
			}
		}
		select {
		case s.reporter.ready <- s.mailbox:
		case <-closing.Done():
			s.sayGoodbye()
			return
		case <-ended:
			return
		}
		select {
		case m := <-s.mailbox.messages:
			if s.conn.allRead() {
				unread = 0
			}
			unread++
			s.conn.willSend(proto.Size(m))
			if s.Send(m) != nil {
				return
			}
		case <-closing.Done():
			s.sayGoodbye()
			return
		case <-ended:
			return
		}
	}
}

// sayGoodbye sends the goodbye. The sidecar then ends the stream.
func (s *stream) sayGoodbye() {
	if s.Send(goodbyeMessage()) == nil {
		s.CloseSend() // its error is always nil
	}
}

// receive handles the sidecar's messages until the stream ends, and returns why it
// ended.
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
			case s.reporter.requests <- getStateRequest{s.mailbox, m.GetState.GetNumber()}:
			case <-closing.Done(): // the reporter has ended
			}
		}
	}
}
