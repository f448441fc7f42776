package agents

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

type agentStream = grpc.BidiStreamingServer[reportv1.StreamRequest, reportv1.StreamResponse]

// Stream serves the session of one process (proto/landmark/intake/v1). Another goroutine
// receives. Stream returns when that has finished, or when the link is ended: its return ends
// the stream, and so the other's Recv. Each agent costs a stack of Stream. It stays small,
// because Stream makes no deep calls.
func (s *Server) Stream(stream agentStream) error {
	link := newLink()
	received := make(chan error, 1)
	go func() { received <- s.receive(stream, link) }()
	// Most sessions never get a command. The first can only follow a report, and so
	// the Welcome.
	commands := link.commands
	for {
		select {
		case number := <-commands:
			commands = nil
			// In a goroutine, because Send blocks while the agent does not read. It
			// returns when the stream ends, which is when this function returns.
			go link.sendCommands(stream.Context(), number, stream.Send)
		case <-link.ended:
			return statusOf(link.why)
		case err := <-received:
			return err
		}
	}
}

// receive opens the session, receives the agent's messages until the stream ends, and only
// then ends the session, which returns its quota. It returns the status for the agent.
func (s *Server) receive(stream agentStream, link *link) error {
	r, err := s.open(stream, link)
	if err != nil {
		return err
	}
	err = r.run()
	r.throttle.user.endOne(r.service, func() { err = s.endSession(r, link, err) })
	return err
}

// open receives the hello and opens the session. The error is the status for the agent.
func (s *Server) open(stream agentStream, link *link) (*receiver, error) {
	ctx := stream.Context()
	peer, known := peercred.FromContext(ctx)
	hello, err := receiveHello(stream, link)
	if err != nil {
		if status.Code(err) != codes.Canceled { // the agent has not gone by itself
			// No service can have the name "-", so the limit counts these lines by user.
			logRefusal(s.logLimit.Logger(s.logger.With("pid", peer.PID, "uid", peer.UID), peer.UID, "-"), err)
		}
		return nil, err
	}
	if !known {
		return nil, status.Error(codes.Unauthenticated, "the kernel does not report the peer's credentials")
	}
	logger := s.logger.With("service", hello.Service, "instance", hello.Instance, "pid", peer.PID, "uid", peer.UID)
	logger = s.logLimit.Logger(logger, peer.UID, hello.Service)

	conn := connectionOf(ctx)
	r := &receiver{
		stream: stream, logger: logger, service: hello.Service,
		throttle: newThrottle(s.registry.Clock(), conn, s.host, hello.Clock),
	}
	r.throttle.wait(ctx, 0, helloWork)
	r.others.Store(1) // the hello
	r.received = 1
	r.stopExpecting = func() {}
	if conn != nil {
		if s.host.Is(hello.Clock) { // else a report that the agent could not send yet would count as new
			r.throttle.allRead = func() bool { return conn.caughtUp() && conn.allHandled(ctx, r.received) }
		}
		r.stopExpecting = conn.stopExpecting
		if !s.registry.Knows(hello.Service) {
			r.creation = conn.user.creation
		}
	}
	link.caughtUp = func() bool { return !r.throttle.throttled.Load() && (conn == nil || conn.caughtUp()) }
	link.hasEnded = func() bool {
		ended := ctx.Err() != nil || conn != nil && conn.hasEnded()
		return ended && !s.stopping.Load() // in this order: that the sidecar stops ends all streams
	}
	if err := r.creation.do(ctx, func() (err error) {
		r.session, err = s.registry.Open(registry.AgentID{Service: hello.Service, Instance: hello.Instance, UID: peer.UID}, link)
		return err
	}); err != nil {
		if err = statusOf(err); isRefusal(err) {
			logRefusal(logger, err)
		}
		return nil, err
	}
	r.session.SetProcess(processOf(conn, int(peer.PID), hello.Goroutines))
	r.hasReported = func() {}
	if conn != nil {
		r.session.SetAllHandled(func(reports uint64) bool { return conn.allHandled(ctx, r.others.Load()+reports) })
		r.hasReported = sync.OnceFunc(conn.becomeQuiet)
	}
	r.logUndeclared = sync.OnceFunc(func() {
		if undeclared := s.registry.UndeclaredOverrides(hello.Service); len(undeclared) > 0 {
			logger.Warn("the configuration names landmarks that no program of the service declares: correct their names", "landmarks", undeclared)
		}
	})
	return r, nil
}

// logRefusal logs that a program is refused. Otherwise a program without a log of
// its own would leave no trace of it.
func logRefusal(logger *slog.Logger, err error) {
	logger.Warn("program refused", "why", reason(err))
}

// errGoodbye means that the program has stopped by itself.
var errGoodbye = errors.New("goodbye")

// endSession ends the session whose receiver returned err, and returns the status for the
// agent.
func (s *Server) endSession(r *receiver, link *link, err error) error {
	if why := link.whyEnded(); why != nil {
		r.session.Disconnect()
		r.logger.Warn("session ended", "why", why)
		return statusOf(why)
	}
	if errors.Is(err, errGoodbye) {
		r.session.Goodbye()
		r.logger.Info("program said goodbye")
		return nil
	}
	if s.stopping.Load() {
		// That the sidecar stops says nothing about the program.
		return status.Error(codes.Unavailable, "landmarkd is stopping")
	}
	r.session.Disconnect()
	if err = statusOf(err); isRefusal(err) {
		logRefusal(r.logger, err)
	} else {
		r.logger.Warn("program lost", "why", reason(err))
	}
	return err
}

// receiver receives the messages of one stream, and reports to its session.
type receiver struct {
	stream        agentStream
	logger        *slog.Logger
	service       string // its name
	session       *registry.Session
	throttle      *throttle
	declared      []judge.Declared // the latest declaration, nil before the first
	facts         []registry.Fact  // of the latest report; reused for the next
	logUndeclared func()           // called after each report
	stopExpecting func()           // of the connection; called with a declaration
	hasReported   func()           // called after each report
	creation      *creationLock    // nil unless the first report creates the service
	evidenceAt    time.Time        // when the latest evidence came
	others        atomic.Uint64    // messages that were handled and are no reports
	received      uint64           // messages; used by the goroutine of Server.receive only
}

// run receives messages until the stream ends, and returns why.
func (r *receiver) run() error {
	ctx := r.stream.Context()
	for {
		m, err := r.stream.Recv()
		if errors.Is(err, io.EOF) || status.Code(err) == codes.Canceled {
			return errors.New("the connection ended without a goodbye")
		}
		if err == nil {
			r.received++
			err = r.handle(ctx, m)
		}
		if err != nil {
			return err
		}
	}
}

// handle handles one message.
func (r *receiver) handle(ctx context.Context, m *reportv1.StreamRequest) error {
	switch m := m.Message.(type) {
	case *reportv1.StreamRequest_Declaration:
		return r.handleDeclaration(ctx, m.Declaration)
	case *reportv1.StreamRequest_Report:
		return r.handleReport(ctx, m.Report)
	case *reportv1.StreamRequest_Goodbye:
		return errGoodbye
	case *reportv1.StreamRequest_Hello:
		return invalid("hello", "came twice: one stream is one process")
	default:
		return invalid("message", "is empty, or of a kind that this landmarkd does not know")
	}
}

func (r *receiver) handleDeclaration(ctx context.Context, d *reportv1.Declaration) error {
	landmarks, err := parseDeclaration(d)
	if err != nil {
		return err
	}
	r.stopExpecting()
	r.throttle.wait(ctx, 1, declarationWork*(1+len(landmarks)/landmarksPerWork))
	first := r.declared == nil
	if err := r.session.Declare(landmarks); err != nil {
		return err
	}
	r.declared, r.facts = landmarks, make([]registry.Fact, len(landmarks))
	r.others.Add(1)
	if !first {
		return nil
	}
	if err := r.stream.Send(welcome()); err != nil {
		return err
	}
	r.logger.Info("program reports")
	return nil
}

func (r *receiver) handleReport(ctx context.Context, m *reportv1.Report) error {
	if r.declared == nil {
		return invalid("report", "came before a declaration")
	}
	if err := parseReport(m, r.facts); err != nil {
		return err
	}
	draining, answered, readAt, stacks := m.Draining, m.Answered, m.ReadAtUs, m.Evidence
	recycle(m)
	r.session.Drain(draining)
	if err := r.creation.do(ctx, func() error {
		return r.session.ReportAt(r.facts, answered, r.throttle.reportTime(readAt))
	}); err != nil {
		return err
	}
	r.creation = nil // the service exists now
	r.hasReported()
	r.handleEvidence(stacks)
	r.logUndeclared()
	r.throttle.wait(ctx, 1, 1+len(r.facts)/landmarksPerWork)
	return nil
}
