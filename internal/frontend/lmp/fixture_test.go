package lmp

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/eventloop"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/lmp"
)

// testTimeout is how long a test waits for what must happen.
const testTimeout = time.Minute

// clientAddr is the address of the clients of servers without sockets.
var clientAddr = netip.MustParseAddr("192.0.2.1")

// longAgo is the age of facts that are too old for any max_age of the tests.
const longAgo = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newProcess connects a process with the landmarks, which reports the facts.
func newProcess(t testing.TB, r *registry.Registry, service string, landmarks []judge.Declared, facts ...registry.Fact) *frontendtest.Process {
	t.Helper()
	p := frontendtest.NewProcess(t, r, service, landmarks...)
	p.Report(facts...)
	return p
}

// within is the limit of the loops.
const within = time.Second

func loops(names ...string) []judge.Declared {
	var landmarks []judge.Declared
	for _, name := range names {
		landmarks = append(landmarks, judge.Declared{Name: name, Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: within})
	}
	return landmarks
}

// fact returns the fact of a loop whose last answer has the given age.
func fact(age time.Duration) registry.Fact {
	return registry.Fact{Reached: true, Age: age, Count: 1, Lag: 4 * time.Millisecond}
}

// hung returns the fact of a loop that has stopped answering.
func hung() registry.Fact { return registry.Fact{Reached: true, Age: longAgo, Count: 1, Open: true} }

// newLargeProcess connects a process with so many landmarks that no datagram
// holds their description. Their names have many lengths.
func newLargeProcess(t testing.TB, r *registry.Registry, service string) {
	t.Helper()
	var names []string
	var facts []registry.Fact
	for i := range 60 {
		names = append(names, fmt.Sprintf("%02d%s", i, strings.Repeat("n", i%40)))
		facts = append(facts, fact(0))
	}
	facts[30] = hung()
	newProcess(t, r, service, loops(names...), facts...)
}

// newRegistry returns a registry with the service "epg", which has one loop and
// is healthy.
func newRegistry(t testing.TB) (*registry.Registry, *frontendtest.Process) {
	t.Helper()
	r := frontendtest.NewRegistry(t, 0)
	return r, newProcess(t, r, "epg", loops("main"), fact(0))
}

// testServer is a running server.
type testServer struct {
	*Server
	stop func() // stops the server and waits until Run has returned nil
}

func serve(t testing.TB, c Config) *testServer {
	t.Helper()
	s, err := New(complete(c))
	if err != nil {
		t.Fatal(err)
	}
	return run(t, s)
}

// complete returns the configuration with what every server needs.
func complete(c Config) Config {
	c.Logger = slog.New(slog.DiscardHandler)
	c.Refusals = socket.NewRefusals(c.Logger)
	if c.Checkers == nil {
		c.Checkers = frontendtest.NewTracker()
	}
	c.MaxConns = cmp.Or(c.MaxConns, 10_000)
	return c
}

// newIn returns a server without sockets of its own, whose loop has the poller.
func newIn(poller eventloop.Poller, c Config) *Server {
	s := newServer(complete(c))
	s.tcp = s.newTCPServer(eventloop.NewWith(poller))
	return s
}

func run(t testing.TB, s *Server) *testServer {
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
		case <-time.After(testTimeout):
			t.Error("Run has not returned")
		}
	}
	t.Cleanup(stop)
	return &testServer{s, stop}
}

// addr returns the server's port at the address.
func (s *testServer) addr(address string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(address), uint16(s.Addr().(*net.TCPAddr).Port))
}

// rejectionKinds is how many reasons there are.
const rejectionKinds = failedToReceive + 1

// counts returns the rejections so far.
func (s *testServer) counts() (n [rejectionKinds]uint64) {
	for reason := range rejectionKinds {
		n[reason] = s.rejections.Counted(reason)
	}
	return n
}

// fixture is a server over a registry, in fake time.
type fixture struct {
	*Server
	t        *testing.T
	registry *registry.Registry
	process  *frontendtest.Process // of the service "epg", with one loop
	poller   *pipePoller
	from     netip.Addr // of the clients that connect from now on
	ctx      context.Context
	stop     context.CancelFunc
}

// inBubble runs a test over pipes, where a write blocks until it is read.
func inBubble(t *testing.T, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := frontendtest.NewRegistry(t, 0)
		ctx, stop := context.WithCancel(t.Context())
		poller := newPipePoller()
		s := newIn(poller, Config{Source: r})
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := s.serveTCP(ctx); err != nil {
				t.Errorf("serveTCP returned %v", err)
			}
		})
		defer serving.Wait()
		defer stop()
		test(t, &fixture{
			Server:   s,
			poller:   poller,
			from:     clientAddr,
			t:        t,
			registry: r,
			process:  newProcess(t, r, "epg", loops("main"), fact(0)),
			ctx:      ctx,
			stop:     stop,
		})
	})
}

// connect connects a client. done is closed when the server has closed its end.
func (f *fixture) connect() (conn net.Conn, done chan struct{}) {
	client, server := f.poller.newPipe()
	f.t.Cleanup(func() { client.Close() })
	f.add(server)
	return client, server.done
}

// add adds a socket to the loop, and returns its connection.
func (f *fixture) add(s *pipe) *conn {
	added := make(chan *conn)
	from := f.from
	f.tcp.loop.Post(func() { added <- f.newConn(s, s.key, from) })
	return <-added
}

// wantClosedAfter checks that the server closes the connection after exactly that
// time, and counts it for the reason, if one is given.
func (f *fixture) wantClosedAfter(done chan struct{}, want time.Duration, reason ...rejection) {
	f.t.Helper()
	start := time.Now()
	<-done
	if took := time.Since(start); took != want {
		f.t.Errorf("closed after %v, want %v", took, want)
	}
	for kind := range rejectionKinds {
		var want uint64
		if slices.Contains(reason, kind) {
			want = 1
		}
		if got := f.rejections.Counted(kind); got != want {
			f.t.Errorf("counted %d for reason %d, want %d", got, kind, want)
		}
	}
}

// keepFresh makes the process report until the server stops.
func (f *fixture) keepFresh() {
	go func() {
		for {
			select {
			case <-f.ctx.Done():
				return
			case <-time.After(500 * time.Millisecond):
				f.process.Report(fact(0))
			}
		}
	}()
}

// newKey returns a key whose secret repeats the letter.
func newKey(t testing.TB, number uint32, letter string) *lmp.Key {
	t.Helper()
	k, err := lmp.NewKey(number, []byte(strings.Repeat(letter, 16)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newRequest returns the frame of a request, with a random nonce if it has none.
func newRequest(t testing.TB, q lmp.Request, signed *lmp.Key) []byte {
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
	return newRequest(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte(service)}, nil)
}

func describe(t testing.TB, service string) []byte {
	t.Helper()
	return newRequest(t, lmp.Request{Kind: lmp.KindDescribe, Service: []byte(service)}, nil)
}

// freshRequest returns a request about "epg" whose answer must rest on facts of
// the last second.
func freshRequest(t testing.TB, kind lmp.Kind) []byte {
	t.Helper()
	return newRequest(t, lmp.Request{Kind: kind, Service: []byte("epg"), MaxAge: time.Second}, nil)
}

// parseAnswer parses the answer to the request.
func parseAnswer(t testing.TB, answer, request []byte) lmp.Answer {
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
		t.Fatalf("received the answer to %v %x, want the answer to %v %x", a.Kind, a.Nonce, q.Kind, q.Nonce)
	}
	return a
}

func wantAnswer(t testing.TB, a lmp.Answer, status lmp.Status, cause lmp.Cause) {
	t.Helper()
	if a.Status != status || a.Cause != cause {
		t.Errorf("the answer is %v, %v; want %v, %v", a.Status, a.Cause, status, cause)
	}
}

// awaitSource is a source that signals each Await.
type awaitSource struct {
	frontend.Source
	awaits chan struct{}
}

func newAwaitSource(s frontend.Source) *awaitSource { return &awaitSource{s, make(chan struct{}, 100)} }

func (s *awaitSource) Await(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error) {
	s.awaits <- struct{}{}
	return s.Source.Await(ctx, name, maxAge)
}
