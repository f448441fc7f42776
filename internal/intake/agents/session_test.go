package agents

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

func TestReportsBecomeVerdicts(t *testing.T) {
	s := newSidecar(t)
	a := s.dial(hello("epg", "a"), declaration(loop("main")))
	a.welcomed()
	if got := s.look("epg"); got.Cause != judge.UnknownName {
		t.Errorf("before its first report the service is %v", got.Cause)
	}
	a.send(report(0, &reportv1.Fact{}))
	s.await("epg", judge.NotServing, judge.Starting)
	a.send(report(0, fact(0)))
	s.await("epg", judge.Serving, judge.None)
	a.send(report(0, &reportv1.Fact{Reached: true, AgeUs: longAgo, Count: 1, Open: true, LagUs: 1500}))
	got := s.await("epg", judge.NotServing, judge.Stalled)
	records := got.Landmarks()
	if len(records) != 1 || records[0].Name != "main" || records[0].State != judge.Failing ||
		records[0].Age < longAgo*time.Microsecond || records[0].Lag != 1500*time.Microsecond {
		t.Errorf("the landmarks are %+v", records)
	}
	a.send(declaration(loop("main"), loop("second")), report(0, fact(0), fact(0)))
	if got := s.await("epg", judge.Serving, judge.None); len(got.Landmarks()) != 2 {
		t.Errorf("the landmarks are %+v", got.Landmarks())
	}
}

func TestEndOfAStreamSetsTheCause(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*agent)
		code codes.Code // for the agent
		want judge.Cause
	}{
		{"goodbye", func(a *agent) { a.send(goodbye()) }, codes.OK, judge.Stopped},
		{"goodbye and CloseSend", func(a *agent) { a.send(goodbye()); a.CloseSend() }, codes.OK, judge.Stopped},
		{"CloseSend without a goodbye", func(a *agent) { a.CloseSend() }, codes.Unavailable, judge.Lost},
		{"the connection ends", func(a *agent) { a.conn.Close() }, codes.Canceled, judge.Lost},
		{"a broken rule", func(a *agent) { a.send(report(0)) }, codes.InvalidArgument, judge.Lost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSidecar(t)
			a := s.reporting("epg", "a", 0)
			tt.end(a)
			if err := a.ended(); status.Code(err) != tt.code {
				t.Errorf("the stream ended with %v, want %v", err, tt.code)
			}
			s.await("epg", judge.NotServing, tt.want)
		})
	}
}

func TestStreamWithoutAReportCreatesNoService(t *testing.T) {
	s := newSidecar(t)
	for _, end := range []messages{
		{hello("epg", "a"), goodbye()},
		{hello("epg", "a"), declaration(loop("main")), goodbye()},
	} {
		if err := s.dial(end...).ended(); err != nil {
			t.Errorf("the stream ended with %v", err)
		}
	}
	if names := s.registry.Names(); len(names) > 0 {
		t.Errorf("there are the services %v", names)
	}
}

func TestNewerSessionReplacesTheOlder(t *testing.T) {
	s := newSidecar(t)
	older := s.reporting("epg", "a", 0)
	newer := s.dial(hello("epg", "a"), declaration(loop("main")), report(0, fact(0)))
	newer.welcomed()
	if err := older.ended(); status.Code(err) != codes.Aborted {
		t.Errorf("the older stream ended with %v", err)
	}
	// The end of the older session does not affect the newer one.
	older.conn.Close()
	s.await("epg", judge.Serving, judge.None)
	newer.send(goodbye())
	s.await("epg", judge.NotServing, judge.Stopped)
}

func TestAnswerToGetStateCompletesACheck(t *testing.T) {
	s := newSidecar(t)
	a := s.reporting("epg", "a", longAgo)
	for number := uint64(1); number <= 3; number++ {
		answers := s.ask("epg")
		if got := a.commanded(); got != number {
			t.Errorf("received command %d, want %d", got, number)
		}
		a.send(report(number, fact(0)))
		if got := <-answers; got.Status != judge.Serving || got.Age > time.Second {
			t.Errorf("the checker got %v, %v, facts %v old", got.Status, got.Cause, got.Age)
		}
		s.age(a, "epg")
	}
}

// That landmarkd stops says nothing about any program.
func TestStopChangesNoVerdict(t *testing.T) {
	goroutines := goleak.IgnoreCurrent()
	s := newSidecar(t)
	var agents []*agent
	for _, service := range []string{"epg", "vod", "npvr"} {
		agents = append(agents, s.reporting(service, "a", 0))
	}
	idle := s.dial(hello("idle", "a")) // has not declared yet
	before := s.look("")
	s.stop()
	for _, a := range append(agents, idle) {
		if err := a.ended(); status.Code(err) != codes.Unavailable {
			t.Errorf("the stream ended with %v", err)
		}
		a.conn.Close()
	}
	goleak.VerifyNone(t, goroutines, goleak.IgnoreTopFunction("github.com/landmark-health/landmark/internal/clock.(*Clock).Run")) // so no more changes can follow
	if now := s.look(""); now.Status != judge.Serving || now.Changes != before.Changes {
		t.Errorf("%v, %v after %d changes; was %v, %v after %d", now.Status, now.Cause, now.Changes, before.Status, before.Cause, before.Changes)
	}
	if _, err := os.Lstat(s.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestAgentThatReadsNoCommandsBlocksNoOther(t *testing.T) {
	s := newSidecar(t)
	patient := judge.DefaultPolicy
	patient.StaleAfter = testTimeout // neither reports again, however slow the machine is
	s.registry.Configure(map[string]registry.Policy{
		"stuck": {Policy: patient},
		"other": {Policy: patient, PollTimeout: testTimeout},
	}, nil)
	quick := loop("main") // bounds how long each check waits
	quick.WithinUs = 100_000
	s.dial(hello("stuck", "a"), declaration(quick), report(0, fact(longAgo))) // never receives
	s.await("stuck", judge.Serving, judge.None)
	other := s.reporting("other", "a", longAgo)
	for range 3 {
		stuck, answers := s.ask("stuck"), s.ask("other")
		other.send(report(other.commanded(), fact(0)))
		if got := <-answers; got.Status != judge.Serving {
			t.Errorf("the other service is %v, %v", got.Status, got.Cause)
		}
		if got := <-stuck; got.Cause != judge.Stalled {
			t.Errorf("the checker got %v, %v", got.Status, got.Cause)
		}
		s.age(other, "other")
	}
	if got := s.look("stuck"); got.Status != judge.Serving {
		t.Errorf("an unanswered command made the service %v, %v in memory", got.Status, got.Cause)
	}
}

// stuckStream is a stream whose agent sends but does not read: after the Welcome, Send
// blocks until the stream ends, which is when its handler returns.
type stuckStream struct {
	agentStream
	ctx      context.Context
	in       chan *reportv1.StreamRequest
	sent     int
	log      *logtest.Buffer
	returned chan error // from Stream
}

// startStuckStream serves a stream that ends, as with gRPC, when Stream has returned.
func startStuckStream(t *testing.T, r *registry.Registry) *stuckStream {
	ctx, cancel := context.WithCancel(peer.NewContext(t.Context(), &peer.Peer{AuthInfo: peercred.AuthInfo{}}))
	s := &stuckStream{ctx: ctx, in: make(chan *reportv1.StreamRequest), log: new(logtest.Buffer), returned: make(chan error, 1)}
	go func() {
		err := New(r, slog.New(slog.NewTextHandler(s.log, nil))).Stream(s)
		cancel()
		s.returned <- err
	}()
	return s
}

func (s *stuckStream) Context() context.Context { return s.ctx }

func (s *stuckStream) Recv() (*reportv1.StreamRequest, error) {
	select {
	case m := <-s.in:
		return m, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func (s *stuckStream) Send(*reportv1.StreamResponse) error {
	if s.sent++; s.sent == 1 {
		return nil
	}
	<-s.ctx.Done()
	return s.ctx.Err()
}

// The session of an agent that does not read ends like any other, with a goodbye, a
// broken rule or a newer session.
func TestStuckStreamEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*stuckStream, *registry.Registry)
		code codes.Code
		want judge.Cause
		log  string
	}{
		{"goodbye", func(s *stuckStream, _ *registry.Registry) { s.in <- goodbye() }, codes.OK, judge.Stopped, "program said goodbye"},
		{"a broken rule", func(s *stuckStream, _ *registry.Registry) { s.in <- report(0) }, codes.InvalidArgument, judge.Lost, "program refused"},
		{"a newer session", replace, codes.Aborted, judge.None, "session ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := registry.New(clock.New(), 0)
				s := startStuckStream(t, r)
				s.in <- hello("epg", "a")
				s.in <- declaration(loop("main"))
				s.in <- report(0, fact(longAgo))
				synctest.Wait()
				if a, err := r.Await(t.Context(), []byte("epg"), time.Second); err != nil || a.Cause != judge.Stalled {
					t.Fatalf("the checker got %v, %v", a.Cause, err)
				}
				s.log.Take()
				tt.end(s, r)
				synctest.Wait()
				select {
				case err := <-s.returned:
					if status.Code(err) != tt.code {
						t.Errorf("the stream ended with %v, want %v", err, tt.code)
					}
				default:
					t.Fatal("the stream has not ended")
				}
				if a, _ := r.Lookup([]byte("epg"), 0); a.Cause != tt.want {
					t.Errorf("the service is %v, want %v", a.Cause, tt.want)
				}
				if n := r.Sessions(); n.Goodbyes+n.Lost+n.Ended != 1 {
					t.Errorf("the sessions are %+v, want that one has ended", n)
				}
				if log := s.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, tt.log) {
					t.Errorf("the log is\n%swant only: %s", log, tt.log)
				}
			})
		})
	}
}

// Commands to an agent that does not read wait behind one Send.
func TestCommandsWaitBehindOneSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registry.New(clock.New(), 0)
		s := startStuckStream(t, r)
		s.in <- hello("epg", "a")
		s.in <- declaration(loop("main"))
		s.in <- report(0, fact(longAgo))
		for number := range uint64(4) {
			synctest.Wait()
			<-time.After(time.Second)
			s.in <- report(number, fact(longAgo)) // answers a command that it has not read
			if _, err := r.Await(t.Context(), []byte("epg"), time.Second); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if s.sent != 2 { // the Welcome, and the first command
			t.Errorf("Send was called %d times, want 2", s.sent)
		}
		s.in <- goodbye()
		<-s.returned
	})
}

// A session that the registry has ended ends with its reason, also where the receiver
// finds that first.
func TestEndOfTheRegistryIsTheStatus(t *testing.T) {
	r := registry.New(clock.New(), 0)
	link := newIdleLink()
	session, err := r.Open(registry.AgentID{Service: "epg", Instance: "a"}, link)
	if err != nil {
		t.Fatal(err)
	}
	link.End(registry.ErrReplaced)
	receiver := &receiver{session: session, logger: slog.New(slog.DiscardHandler)}
	for _, found := range []error{registry.ErrReplaced, errGoodbye} {
		if err := New(r, receiver.logger).endSession(receiver, link, found); status.Code(err) != codes.Aborted {
			t.Errorf("the receiver returned %v: got status %v, want Aborted", found, err)
		}
	}
}

// newIdleLink returns the link of an agent that has sent nothing and not ended.
func newIdleLink() *link {
	l := newLink()
	l.caughtUp, l.hasEnded = func() bool { return true }, func() bool { return false }
	return l
}

// replace opens a newer session of the stream's instance.
func replace(_ *stuckStream, r *registry.Registry) {
	newer, err := r.Open(registry.AgentID{Service: "epg", Instance: "a"}, newIdleLink())
	if err != nil {
		panic(err)
	}
	newer.Declare([]judge.Declared{{Name: "main", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second}})
	if err := newer.Report([]registry.Fact{{Reached: true}}, 0); err != nil {
		panic(err)
	}
}

// A newer command replaces one that has not been sent.
func TestNewerCommandSupersedesTheOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newIdleLink()
		for number := uint64(1); number <= 3; number++ {
			l.GetState(number) // does not block, or the bubble is deadlocked
		}
		ctx, cancel := context.WithCancel(t.Context())
		var sent []uint64
		go l.sendCommands(ctx, <-l.commands, func(m *reportv1.StreamResponse) error {
			sent = append(sent, m.GetGetState().Number)
			return nil
		})
		synctest.Wait()
		if len(sent) != 1 || sent[0] != 3 {
			t.Errorf("the commands %v were sent, want only 3", sent)
		}
		cancel()
	})
}

func TestConcurrentSessionsOfOneService(t *testing.T) {
	s := newSidecar(t)
	instances := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	var all sync.WaitGroup
	for _, instance := range instances {
		all.Go(func() {
			a := s.dial(hello("epg", instance), declaration(loop("main")))
			for range 200 {
				a.send(report(0, fact(0)))
			}
			a.send(goodbye())
			if err := a.ended(); err != nil {
				t.Errorf("instance %s ended with %v", instance, err)
			}
		})
	}
	all.Wait()
	s.await("epg", judge.NotServing, judge.Stopped)
}

func TestRunReturnsTheErrorOfItsListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := New(nil, nil).Run(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run returned %v", err)
	}
}

// Run returns at once if its context is done, and closes the listener.
func TestRunWithADoneContextReturns(t *testing.T) {
	path := newSidecar(t).path + "2"
	l, err := socket.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(nil, nil).Run(ctx, l); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}
