package agents

import (
	"errors"
	"io"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

type agentStream = grpc.BidiStreamingServer[reportv1.StreamRequest, reportv1.StreamResponse]

// Stream takes one process's session (proto/landmark/intake/v1).
func (s *Server) Stream(stream agentStream) error {
	hello, err := receiveHello(stream)
	if err != nil {
		return err
	}
	peer, ok := peercred.Of(stream.Context())
	if !ok {
		return status.Error(codes.Unauthenticated, "the kernel did not say who connected")
	}
	conn := connectionOf(stream.Context())
	in := &receiver{stream: stream, throttle: newThrottle(s.registry.Clock(), conn, s.host, hello.Clock)}
	in.throttle.wait(stream.Context(), 0, helloWork)
	in.markReported = func() {}
	if conn != nil {
		in.markReported = conn.markReported
		if !s.registry.Knows(hello.Service) {
			in.creation = conn.user.creation
		}
	}
	link := newLink()
	link.caughtUp = func() bool { return !in.throttle.throttled.Load() && (conn == nil || conn.caughtUp()) }
	var session *registry.Session
	if err := in.creation.do(stream.Context(), func() (err error) {
		session, err = s.registry.Open(registry.AgentID{Service: hello.Service, Instance: hello.Instance, UID: peer.UID}, link)
		return err
	}); err != nil {
		return statusOf(err)
	}
	logger := s.logger.With("service", hello.Service, "instance", hello.Instance, "pid", peer.PID, "uid", peer.UID)
	logger = s.logLimit.Logger(logger, peer.UID, hello.Service)
	in.session, in.logStart = session, func() { logger.Info("program reports") }
	return s.serve(in, link, logger)
}

// serve reads the agent's messages and carries commands to it until either
// ends the session.
func (s *Server) serve(in *receiver, link *link, logger *slog.Logger) error {
	stream, session := in.stream, in.session
	received := make(chan error, 1)
	go func() { received <- in.run() }()
	// Most sessions never get a command, which only comes after a report, and
	// so after the Welcome.
	commands := link.commands
	for {
		select {
		case number := <-commands:
			commands = nil
			// Not waited for: while the agent takes no command, Send blocks
			// until the stream ends, which it does when this returns.
			go link.sendCommands(stream.Context(), number, stream.Send)
		case err := <-link.ended:
			logger.Warn("session ended", "why", err)
			go func() { // what it has taken is given back once nothing more of it is read
				<-received
				session.Disconnect()
			}()
			return statusOf(err)
		case err := <-received:
			return s.endSession(session, err, logger)
		}
	}
}

// errGoodbye is that the program stopped of its own will.
var errGoodbye = errors.New("goodbye")

// endSession closes the session of a stream that ended with err, and returns what
// the agent is told.
func (s *Server) endSession(session *registry.Session, err error, logger *slog.Logger) error {
	switch {
	case errors.Is(err, errGoodbye):
		session.Goodbye()
		logger.Info("program said goodbye")
		return nil
	case s.stopping.Load():
		// That the sidecar stops is no fact about the program.
		return status.Error(codes.Unavailable, "landmarkd is stopping")
	default:
		session.Disconnect()
		logger.Warn("program lost", "why", err)
		return statusOf(err)
	}
}

// receiver feeds one stream's messages to its session.
type receiver struct {
	stream       agentStream
	session      *registry.Session
	throttle     *throttle
	declared     []judge.Declared // the latest declaration, nil before the first
	facts        []registry.Fact  // of the latest report; kept for the room
	logStart     func()
	markReported func()        // called once it has reported
	creation     *creationLock // of the first report, nil if the service is known
}

// run takes messages until the stream ends, which it tells by an error.
func (in *receiver) run() error {
	for {
		m, err := in.stream.Recv()
		if errors.Is(err, io.EOF) || status.Code(err) == codes.Canceled {
			return errors.New("the connection ended without a goodbye")
		}
		if err == nil {
			err = in.handle(m)
		}
		if err != nil {
			return err
		}
	}
}

// handle feeds one message.
func (in *receiver) handle(m *reportv1.StreamRequest) error {
	switch m := m.Message.(type) {
	case *reportv1.StreamRequest_Declaration:
		return in.handleDeclaration(m.Declaration)
	case *reportv1.StreamRequest_Report:
		return in.handleReport(m.Report)
	case *reportv1.StreamRequest_Goodbye:
		return errGoodbye
	case *reportv1.StreamRequest_Hello:
		return invalid("hello", "came twice: one stream is one process")
	default:
		return invalid("message", "is empty, or of a kind that this landmarkd does not know")
	}
}

func (in *receiver) handleDeclaration(d *reportv1.Declaration) error {
	landmarks, err := parseDeclaration(d)
	if err != nil {
		return err
	}
	in.markReported()
	in.throttle.wait(in.stream.Context(), 1, declarationWork*(1+len(landmarks)/landmarksPerWork))
	first := in.declared == nil
	if err := in.session.Declare(landmarks); err != nil {
		return err
	}
	in.declared, in.facts = landmarks, make([]registry.Fact, len(landmarks))
	if !first {
		return nil
	}
	if err := in.stream.Send(welcome()); err != nil {
		return err
	}
	in.logStart()
	return nil
}

func (in *receiver) handleReport(r *reportv1.Report) error {
	if in.declared == nil {
		return invalid("report", "came before a declaration")
	}
	if err := parseReport(r, in.facts); err != nil {
		return err
	}
	draining, answered, readAt := r.Draining, r.Answered, r.ReadAtUs
	recycle(r)
	in.session.Drain(draining)
	if err := in.creation.do(in.stream.Context(), func() error {
		return in.session.ReportAt(in.facts, answered, in.throttle.reportTime(readAt))
	}); err != nil {
		return err
	}
	in.creation = nil // the session has its service
	in.markReported()
	in.throttle.wait(in.stream.Context(), 1, 1+len(in.facts)/landmarksPerWork)
	return nil
}
