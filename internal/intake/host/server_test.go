package host

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

// env is a running server and the registry that it reports to.
type env struct {
	t        *testing.T
	registry *registry.Registry
	server   *Server
	news     *registry.Subscription
}

// noProbes makes no active checks.
type noProbes struct{}

func (noProbes) Prepare(map[string]*probe.Check) (apply func())            { return func() {} }
func (noProbes) Read(string, time.Time) (fact registry.Fact, overdue bool) { return fact, false }
func (noProbes) Finished() <-chan string                                   { return nil }

func newEnv(t *testing.T, log *bytes.Buffer) *env {
	t.Helper()
	clock := clock.New()
	e := &env{t: t, registry: registry.New(clock, 0)}
	e.server = New(Config{e.registry, noProbes{}, slog.New(slog.NewTextHandler(log, nil))})
	e.news = e.registry.Subscribe([]byte("epg"))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { e.server.Run(ctx) })
	running.Go(func() { clock.Run(ctx, e.server.CaughtUp) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		e.news.Close()
	})
	return e
}

// configure configures the landmarks, for a service without a process.
func (e *env) configure(landmarks ...registry.HostLandmark) {
	p := registry.DefaultPolicy
	p.Quorum, p.Host = judge.NoneNeeded, landmarks
	e.server.Configure(map[string]registry.Policy{"epg": p})
}

// is reports whether the service has the cause, and returns the reason.
func (e *env) is(cause judge.Cause) (bool, string) {
	a, err := e.registry.Await(e.t.Context(), []byte("epg"), 0)
	if err != nil {
		e.t.Fatal(err)
	}
	return a.Cause == cause && (a.Status == judge.Serving) == (cause == judge.None), a.Reason()
}

// becomes waits until the service has the cause, and a reason that contains reason.
func (e *env) becomes(cause judge.Cause, reason string) {
	e.t.Helper()
	late := time.After(10 * time.Second)
	for {
		so, why := e.is(cause)
		if so && strings.Contains(why, reason) {
			return
		}
		select {
		case <-e.news.Changed():
		case <-time.After(addressInterval): // a new reason alone notifies no subscription
		case <-late:
			e.t.Fatalf("after 10 s the cause is not %q with the reason %q; the reason is %q", cause, reason, why)
		}
	}
}

func condition(name string) judge.Declared {
	return judge.Declared{Name: name, Kind: judge.KindCondition, Impact: judge.ImpactReadiness}
}

func atAddress(a string, directRouting bool) registry.HostLandmark {
	return registry.HostLandmark{Declared: condition("address"), Address: netip.MustParseAddr(a), DirectRouting: directRouting}
}

func atPort(port string) registry.HostLandmark {
	return registry.HostLandmark{Declared: condition("port"), Port: netip.MustParseAddrPort(port)}
}

func atQueue(port string, within time.Duration) registry.HostLandmark {
	return registry.HostLandmark{
		Declared: judge.Declared{Name: "queue", Kind: judge.KindDeadline, Impact: judge.ImpactCritical, Within: within},
		Port:     netip.MustParseAddrPort(port),
	}
}

// A landmark of an address fails without the address, and with an ARP setting that
// reveals it.
func TestAddressLandmarkFollowsTheHost(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip(t, "link add eth0 type veth peer name eth1")
	ip(t, "link set eth0 up")
	e := newEnv(t, new(bytes.Buffer))
	e.configure(atAddress("192.0.2.80", true))
	e.becomes(judge.Failed, "192.0.2.80 is on no interface")
	ip(t, "addr add 192.0.2.80/32 dev lo")
	e.becomes(judge.Failed, "eth0 answers ARP for 192.0.2.80, its arp_ignore being 0")
	set(t, "ipv4/conf/all/arp_ignore", "1")
	e.becomes(judge.Failed, "eth0 may announce 192.0.2.80 in ARP, its arp_announce being 0")
	set(t, "ipv4/conf/eth0/arp_announce", "2")
	e.becomes(judge.None, "")
	ip(t, "link set lo down")
	e.becomes(judge.Failed, "192.0.2.80 is on lo, which is down")
	ip(t, "link set lo up")
	e.becomes(judge.None, "")
	ip(t, "addr del 192.0.2.80/32 dev lo")
	e.becomes(judge.Failed, "192.0.2.80 is on no interface")
}

// A landmark of a port fails unless a program listens on its address.
func TestPortLandmarkFollowsTheHost(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	e := newEnv(t, new(bytes.Buffer))
	e.configure(atPort("10.0.0.7:5400"))
	e.becomes(judge.Failed, "nothing listens on TCP 10.0.0.7:5400")
	elsewhere := listenOn(t, "tcp4", "127.0.0.1:5400")
	e.becomes(judge.Failed, "nothing listens on TCP 10.0.0.7:5400, only at 127.0.0.1")
	elsewhere.Close()
	everywhere := listenOn(t, "tcp", ":5400")
	e.becomes(judge.None, "")
	everywhere.Close()
	e.becomes(judge.Failed, "nothing listens")
}

// A program that does not accept is stalled, even if its client has gone, until it
// accepts.
func TestStuckAcceptQueueIsStalled(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	e := newEnv(t, new(bytes.Buffer))
	e.configure(atQueue("[::]:5400", 100*time.Millisecond))
	e.becomes(judge.Failed, "queue cannot be read: nothing listens on TCP [::]:5400")
	if alive, _ := e.registry.Lookup([]byte("epg-liveness"), 0); alive.Status != judge.Serving {
		t.Errorf("liveness fails because nothing listens: %s", alive.Reason())
	}
	l := listenOn(t, "tcp", ":5400")
	e.becomes(judge.None, "")
	for _, reset := range []bool{false, true} {
		c := dial(t, "127.0.0.1:5400")
		if reset {
			c.SetLinger(0)
		}
		c.Close()
		e.becomes(judge.Stalled, "queue: a connection to TCP [::]:5400 has not been accepted for ")
		if alive, _ := e.registry.Lookup([]byte("epg-liveness"), 0); alive.Cause != judge.Stalled {
			t.Errorf("the liveness of a stuck program has the cause %q", alive.Cause)
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		accepted.Close()
		e.becomes(judge.None, "")
	}
}

// Two sockets listen on a port, and the program accepts on one of them only.
func TestOneStuckSocketOfTwoIsStalled(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const reusePort = 15 // SO_REUSEPORT
	e := newEnv(t, new(bytes.Buffer))
	accepting := listenOn(t, "tcp4", "127.0.0.1:5400", reusePort)
	e.configure(atQueue("127.0.0.1:5400", 100*time.Millisecond))
	e.becomes(judge.None, "")
	go func() {
		for {
			c, err := accepting.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	listenOn(t, "tcp4", "127.0.0.1:5400", reusePort)
	for range 64 { // so that some reach the second socket
		dial(t, "127.0.0.1:5400")
	}
	e.becomes(judge.Stalled, "connections to TCP 127.0.0.1:5400 has not been accepted")
}

// A new configuration is in effect at once. Without landmarks of the host, nothing is
// read.
func TestConfigureTakesEffectAtOnce(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	e := newEnv(t, new(bytes.Buffer))
	listenOn(t, "tcp4", "127.0.0.1:5400")
	for _, tt := range []struct {
		landmark registry.HostLandmark
		cause    judge.Cause
	}{
		{atPort("127.0.0.1:5400"), judge.None},
		{atPort("127.0.0.1:5401"), judge.Failed},
		{atQueue("127.0.0.1:5400", time.Second), judge.None},
		{atAddress("192.0.2.80", false), judge.Failed},
		{atAddress("127.0.0.1", false), judge.None},
	} {
		e.configure(tt.landmark)
		if so, why := e.is(tt.cause); !so {
			t.Errorf("%+v is not %q at once: %s", tt.landmark, tt.cause, why)
		}
	}
	e.server.Configure(nil)
	if every := e.server.report(); every > 0 {
		t.Errorf("with nothing to read the interval is %v", every)
	}
	if !e.server.CaughtUp() {
		t.Error("with nothing to read it is not caught up")
	}
	if so, why := e.is(judge.UnknownName); !so {
		t.Error(why)
	}
}

// A reload does not forget how long a connection has waited.
func TestReloadKeepsStuckQueue(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	e := newEnv(t, new(bytes.Buffer))
	listenOn(t, "tcp4", "127.0.0.1:5400")
	e.configure(atQueue("127.0.0.1:5400", 200*time.Millisecond))
	c := dial(t, "127.0.0.1:5400")
	e.becomes(judge.Stalled, "")
	c.SetLinger(0)
	c.Close() // resets the connection, so that the kernel no longer lists it
	renamed := atQueue("127.0.0.1:5400", 150*time.Millisecond)
	renamed.Name = "accept queue"
	for _, landmarks := range [][]registry.HostLandmark{
		{atPort("127.0.0.1:5400"), atQueue("127.0.0.1:5400", 200*time.Millisecond)},
		{atQueue("127.0.0.1:5400", 150*time.Millisecond)},
		{renamed},
		{renamed, atQueue("127.0.0.1:5400", 100*time.Millisecond)},
	} {
		e.configure(landmarks...)
		if so, why := e.is(judge.Stalled); !so {
			t.Errorf("after a reload it is not stalled: %s", why)
		}
	}
}

// The first reading of a new landmarkd finds a program that is stuck already, whatever
// its client sends.
func TestFirstReadingFindsStuckProgram(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	n := diag(t)
	listenOn(t, "tcp", ":5400")
	c := dial(t, "127.0.0.1:5400")
	eventually(t, "it waits for a while", func() bool {
		if _, err := c.Write([]byte("hello?")); err != nil {
			t.Fatal(err)
		}
		waiting, err := connections(n, unix.AF_INET6, 5400)
		if err != nil {
			t.Fatal(err)
		}
		return len(waiting) == 1 && waiting[0].age > 100*time.Millisecond
	})
	e := newEnv(t, new(bytes.Buffer))
	e.configure(atQueue("127.0.0.1:5400", 100*time.Millisecond))
	if so, why := e.is(judge.Stalled); !so {
		t.Errorf("it is not stalled at first: %s", why)
	}
}

// A queue is read once more just before its oldest connection has waited for too long.
func TestQueueIsReadJustBeforeTheLimit(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	s := New(Config{registry.New(clock.New(), 0), noProbes{}, slog.New(slog.DiscardHandler)})
	defer s.Close()
	listenOn(t, "tcp4", "127.0.0.1:5400")
	dial(t, "127.0.0.1:5400")
	landmark := atQueue("127.0.0.1:5400", time.Hour)
	s.Configure(map[string]registry.Policy{"epg": {Policy: judge.Policy{Quorum: judge.NoneNeeded}, Host: []registry.HostLandmark{landmark}}})
	s.report()
	eventually(t, "the next reading is earlier than usual", func() bool {
		s.mu.Lock()
		for _, q := range s.queues { // advance the time to just before the limit
			if since, waits := q.oldest(); waits {
				late := since + q.within - recheckMargin - intervalOf(landmark)/2
				s.origin = time.Now().Add(-late)
			}
		}
		s.mu.Unlock()
		return s.report() < intervalOf(landmark)
	})
}

// If the kernel refuses to answer, the reason says what to do, it is logged once, and
// liveness does not fail.
func TestKernelErrorIsReportedAndLoggedOnce(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const none = 31 // an unused netlink protocol
	log := new(bytes.Buffer)
	e := newEnv(t, log)
	listenOn(t, "tcp4", "127.0.0.1:5400")
	e.configure(atPort("127.0.0.1:5400"), atQueue("127.0.0.1:5400", time.Second))
	e.becomes(judge.None, "")
	fails := func(protocol int) {
		e.server.mu.Lock()
		defer e.server.mu.Unlock()
		e.server.diag.close()
		e.server.diag.protocol = protocol
	}
	right := e.server.diag.protocol
	fails(none)
	e.becomes(judge.Failed, "cannot be read: reading the listening sockets of this host: protocol not supported: load the kernel's module tcp_diag")
	if alive, _ := e.registry.Lookup([]byte("epg-liveness"), 0); alive.Status != judge.Serving {
		t.Errorf("liveness fails because nothing can be read: %s", alive.Reason())
	}
	for range 10 {
		e.server.report()
	}
	fails(right)
	e.becomes(judge.None, "")
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	if refused, again := strings.Count(log.String(), "cannot be read"), strings.Count(log.String(), "can be read again"); refused != 2 || again != 2 {
		t.Errorf("the log of two landmarks is\n%s", log)
	}
}

// After a pause of landmarkd, the host is read again before a final answer.
func TestHostIsReadAgainAfterAPause(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	clock := clock.New()
	r := registry.New(clock, 0)
	s := New(Config{r, noProbes{}, slog.New(slog.DiscardHandler)})
	l := listenOn(t, "tcp4", "127.0.0.1:5400")
	p := registry.DefaultPolicy
	p.Quorum, p.Host = judge.NoneNeeded, []registry.HostLandmark{atPort("127.0.0.1:5400")}
	s.Configure(map[string]registry.Policy{"epg": p})
	s.interval.Store(int64(time.Hour)) // so that only a request reads the host
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	configured := s.readAt.Load()
	running.Go(func() { s.Run(ctx) })
	eventually(t, "the host is read once more", func() bool { return s.readAt.Load() != configured && len(s.wake) == 0 })
	l.Close()
	eventually(t, "the clock is in a pause", func() bool {
		read, real := clock.Read()
		return real.Sub(read) > time.Millisecond
	})
	if _, final := r.Lookup([]byte("epg"), 0); final {
		t.Error("the answer from before the pause is final")
	}
	running.Go(func() { clock.Run(ctx, s.CaughtUp) })
	if a, err := r.Await(t.Context(), []byte("epg"), 0); err != nil || a.Cause != judge.Failed {
		t.Errorf("the first answer is %v, %q, %v", a.Status, a.Cause, err)
	}
}
