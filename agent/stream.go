package agent

import (
	"context"
	"sync"
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

// A stream is one session with the sidecar, from Hello to its end. It is the reporter's
// outlet. The reporter's goroutine itself gives a message to gRPC, because another would
// have to be woken for each. That does not block once gRPC has written all messages
// before: then gRPC has room for one of any size.
type stream struct {
	grpc.BidiStreamingClient[reportv1.StreamRequest, reportv1.StreamResponse]
	conn       *conn
	reporter   *reporter
	busy       chan struct{} // holds a token once the reporter waits until the stream is idle
	onWelcome  func()
	welcomedAt time.Time // zero = not yet; belongs to receive until it returns

	// unread is how many messages were sent since all were seen to be read. It belongs to
	// the reporter until busy has a token, and to serve from then until the stream is ready.
	unread int

	sending sync.Mutex // by one goroutine at a time
	over    bool       // the goodbye was sent; guarded by sending
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
	conn, err := newConn(netConn)
	if err != nil {
		return streamResult{err: err}
	}
	defer conn.Close() // in case the client never used it
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
		busy:                make(chan struct{}, 1),
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
		s.serve(closing, ended)
	}
	<-ended
	if !s.welcomedAt.IsZero() {
		result.uptime = time.Since(s.welcomedAt)
	}
	return result
}

// idle implements outlet.
func (s *stream) idle() bool {
	if s.isIdle() {
		return true
	}
	s.busy <- struct{}{} // never blocks: the token before was taken before the stream was ready
	return false
}

func (s *stream) isIdle() bool {
	if s.conn.allRead() {
		s.unread = 0
	}
	return s.unread < maxUnread && s.conn.allWritten()
}

// send implements outlet. A failure ends the stream, and receive returns the reason.
func (s *stream) send(m *reportv1.StreamRequest) bool {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.over {
		return false
	}
	s.unread++
	s.conn.willSend(proto.Size(m))
	return s.Send(m) == nil
}

// serve tells the reporter when the stream is ready, until the stream has ended, or says
// goodbye when closing is done.
func (s *stream) serve(closing context.Context, ended <-chan struct{}) {
	ready, waiting := s.reporter.ready, false
	for {
		var wrote <-chan struct{}
		var later <-chan time.Time
		switch {
		case waiting && s.isIdle():
			ready, waiting = s.reporter.ready, false
		case waiting:
			wrote, later = s.conn.wrote, time.After(unreadInterval)
		}
		select {
		case ready <- s:
			ready = nil
		case <-s.busy:
			waiting = true
		case <-wrote:
		case <-later:
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
	s.sending.Lock()
	defer s.sending.Unlock()
	s.over = true
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
			case s.reporter.requests <- getStateRequest{s, m.GetState.GetNumber()}:
			case <-closing.Done(): // the reporter has ended
			}
		}
	}
}
