package lmp

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// longAgo is the age of an answer of a main loop that was not asked since.
const longAgo = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// program is one process that reports.
type program struct {
	t        testing.TB
	session  *registry.Session
	commands chan uint64 // the get-state commands put to it
}

// report has a program appear in the registry, with the landmarks, and report
// the facts.
func report(t testing.TB, r *registry.Registry, service string, landmarks []judge.Declared, facts ...registry.Fact) *program {
	t.Helper()
	p := &program{t: t, commands: make(chan uint64, 100)}
	var err error
	if p.session, err = r.Open(registry.AgentID{Service: service, Instance: "a"}, p); err != nil {
		t.Fatal(err)
	}
	p.session.Declare(landmarks)
	p.report(0, facts...)
	return p
}

func (p *program) report(answered uint64, facts ...registry.Fact) {
	p.t.Helper()
	if err := p.session.Report(facts, answered); err != nil {
		p.t.Error(err)
	}
}

// GetState implements registry.Link.
func (p *program) GetState(number uint64) { p.commands <- number }

// End implements registry.Link.
func (p *program) End(err error) { p.t.Errorf("the session was ended: %v", err) }

func (p *program) CaughtUp() bool { return true }

// within is what a loop of these tests is allowed.
const within = time.Second

func loops(names ...string) []judge.Declared {
	var landmarks []judge.Declared
	for _, name := range names {
		landmarks = append(landmarks, judge.Declared{Name: name, Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: within})
	}
	return landmarks
}

// fact is of a loop that last answered that long ago.
func fact(age time.Duration) registry.Fact {
	return registry.Fact{Reached: true, Age: age, Count: 1, Lag: 4 * time.Millisecond}
}

// wedged is of a loop that was asked and has not answered for long.
func wedged() registry.Fact { return registry.Fact{Reached: true, Age: longAgo, Count: 1, Open: true} }

// crowd has a program appear with so many landmarks that their description
// fits no datagram; their names are of all lengths.
func crowd(t testing.TB, r *registry.Registry, service string) {
	t.Helper()
	var names []string
	var facts []registry.Fact
	for i := range 60 {
		names = append(names, fmt.Sprintf("%02d%s", i, strings.Repeat("n", i%40)))
		facts = append(facts, fact(0))
	}
	facts[30] = wedged()
	report(t, r, service, loops(names...), facts...)
}

// newRegistry returns a registry whose clock stands still, so that nothing
// grows stale, with the service "epg" of one loop that is well.
func newRegistry(t testing.TB) (*registry.Registry, *program) {
	t.Helper()
	r := registry.New(runningClock(t), 0)
	return r, report(t, r, "epg", loops("main"), fact(0))
}

// serving is a server at work.
type serving struct {
	*Server
	stop func() // stops it and returns once Run has, which must be with nil
}

func serve(t testing.TB, c Config) *serving {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, s)
}

func run(t testing.TB, s *Server) *serving {
	s.config.Logger = slog.New(slog.DiscardHandler)
	if s.config.Checkers == nil {
		s.config.Checkers = newMemory()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(patience):
			t.Error("Run has not returned")
		}
	}
	t.Cleanup(stop)
	return &serving{s, stop}
}

// newMemory returns a memory of checkers.
func newMemory() *checkers.Tracker {
	begun := time.Now()
	return checkers.New(slog.New(slog.DiscardHandler), func() time.Duration { return time.Since(begun) })
}

// at is where the server is asked at the address.
func (s *serving) at(address string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(address), uint16(s.Addr().(*net.TCPAddr).Port))
}

// key returns a key of the number whose secret is made of the letter.
func key(t testing.TB, number uint32, letter string) *lmp.Key {
	t.Helper()
	k, err := lmp.NewKey(number, []byte(strings.Repeat(letter, 16)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// request returns the frame of a question with a random nonce.
func request(t testing.TB, q lmp.Request, signed *lmp.Key) []byte {
	t.Helper()
	if q.Nonce == 0 {
		q.Nonce = rand.Uint64()
	}
	b, err := lmp.AppendRequest(nil, q, signed)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func check(t testing.TB, service string) []byte {
	t.Helper()
	return request(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte(service)}, nil)
}

func describe(t testing.TB, service string) []byte {
	t.Helper()
	return request(t, lmp.Request{Kind: lmp.KindDescribe, Service: []byte(service)}, nil)
}

// parse reads an answer to the request.
func parse(t testing.TB, answer, request []byte) lmp.Answer {
	t.Helper()
	a, err := lmp.ParseAnswer(answer)
	if err != nil {
		t.Fatal(err)
	}
	q, err := lmp.ParseRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	if a.Kind != q.Kind || a.Nonce != q.Nonce {
		t.Fatalf("the answer to %v %x came, want that to %v %x", a.Kind, a.Nonce, q.Kind, q.Nonce)
	}
	return a
}

// told checks what an answer says.
func told(t testing.TB, a lmp.Answer, status lmp.Status, cause lmp.Cause) {
	t.Helper()
	if a.Status != status || a.Cause != cause {
		t.Errorf("the answer is %v, %v; want %v, %v", a.Status, a.Cause, status, cause)
	}
}

// patient is a source that says when somebody begins to wait.
type patient struct {
	frontend.Source
	waits chan struct{}
}

func newPatient(s frontend.Source) *patient { return &patient{s, make(chan struct{}, 100)} }

func (p *patient) Await(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error) {
	p.waits <- struct{}{}
	return p.Source.Await(ctx, name, maxAge)
}

// fresh returns a question whose answer must rest on facts of the last second.
func fresh(t testing.TB, kind lmp.Kind) []byte {
	t.Helper()
	return request(t, lmp.Request{Kind: kind, Service: []byte("epg"), MaxAge: time.Second}, nil)
}

// runningClock returns a clock that goes on until the test ends.
func runningClock(t testing.TB) *clock.Clock {
	clock := clock.New()
	go clock.Run(t.Context(), func() bool { return true })
	return clock
}
