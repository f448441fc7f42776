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
	"github.com/landmark-health/landmark/internal/registry"
)

// env is a server at work, and a registry that it feeds.
type env struct {
	t        *testing.T
	registry *registry.Registry
	server   *Server
	news     *registry.Subscription
}

func newEnv(t *testing.T, log *bytes.Buffer) *env {
	t.Helper()
	clock := clock.New()
	h := &env{t: t, registry: registry.New(clock, 0)}
	h.server = New(h.registry, slog.New(slog.NewTextHandler(log, nil)))
	h.news = h.registry.Subscribe([]byte("epg"))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.server.Run(ctx) })
	running.Go(func() { clock.Run(ctx, h.server.CaughtUp) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		h.news.Close()
	})
	return h
}

// configure has the landmarks looked at, for a service without a process.
func (h *env) configure(landmarks ...registry.HostLandmark) {
	p := registry.DefaultPolicy
	p.Quorum, p.Host = judge.NoneNeeded, landmarks
	h.server.Configure(map[string]registry.Policy{"epg": p})
}

// is reports whether the service is told to be so, and the reason.
func (h *env) is(cause judge.Cause) (bool, string) {
	a, err := h.registry.Await(h.t.Context(), []byte("epg"), 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return a.Cause == cause && (a.Status == judge.Serving) == (cause == judge.None), a.Reason()
}

// becomes waits until the service is so, for as reason says.
func (h *env) becomes(cause judge.Cause, reason string) {
	h.t.Helper()
	late := time.After(10 * time.Second)
	for {
		so, why := h.is(cause)
		if so && strings.Contains(why, reason) {
			return
		}
		select {
		case <-h.news.Changed():
		case <-time.After(addressInterval): // another reason alone is no news
		case <-late:
			h.t.Fatalf("after 10 s it is not %q for %q, but for %q", cause, reason, why)
		}
	}
}

func condition(name string) judge.Declared {
	return judge.Declared{Name: name, Kind: judge.KindCondition, Impact: judge.ImpactReadiness}
}

func atAddress(a string, directly bool) registry.HostLandmark {
	return registry.HostLandmark{Declared: condition("address"), Address: netip.MustParseAddr(a), DirectRouting: directly}
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

// TestAddressComesAndGoes takes the virtual address away, and what direct
// routing wants of it.
func TestAddressComesAndGoes(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip(t, "link add eth0 type veth peer name eth1")
	ip(t, "link set eth0 up")
	h := newEnv(t, new(bytes.Buffer))
	h.configure(atAddress("192.0.2.80", true))
	h.becomes(judge.Failed, "192.0.2.80 is on no interface")
	ip(t, "addr add 192.0.2.80/32 dev lo")
	h.becomes(judge.Failed, "eth0 answers ARP for 192.0.2.80, its arp_ignore being 0")
	set(t, "ipv4/conf/all/arp_ignore", "1")
	h.becomes(judge.Failed, "eth0 may tell of 192.0.2.80 in ARP, its arp_announce being 0")
	set(t, "ipv4/conf/eth0/arp_announce", "2")
	h.becomes(judge.None, "")
	ip(t, "link set lo down")
	h.becomes(judge.Failed, "192.0.2.80 is on lo, which is down")
	ip(t, "link set lo up")
	h.becomes(judge.None, "")
	ip(t, "addr del 192.0.2.80/32 dev lo")
	h.becomes(judge.Failed, "192.0.2.80 is on no interface")
}

// TestPortComesAndGoes closes the port, and opens it elsewhere.
func TestPortComesAndGoes(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newEnv(t, new(bytes.Buffer))
	h.configure(atPort("10.0.0.7:5400"))
	h.becomes(judge.Failed, "nothing listens on TCP 10.0.0.7:5400")
	elsewhere := listenOn(t, "tcp4", "127.0.0.1:5400")
	h.becomes(judge.Failed, "nothing listens on TCP 10.0.0.7:5400, only at 127.0.0.1")
	elsewhere.Close()
	everywhere := listenOn(t, "tcp", ":5400")
	h.becomes(judge.None, "")
	everywhere.Close()
	h.becomes(judge.Failed, "nothing listens")
}

// TestStuckAcceptQueue has a program listen and accept nothing: it is found
// though its client has gone, and well as soon as it accepts.
func TestStuckAcceptQueue(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newEnv(t, new(bytes.Buffer))
	h.configure(atQueue("[::]:5400", 100*time.Millisecond))
	h.becomes(judge.Failed, "queue cannot be seen: nothing listens on TCP [::]:5400")
	if alive, _ := h.registry.Lookup([]byte("epg-liveness"), 0); alive.Status != judge.Serving {
		t.Errorf("where nothing listens it is to be restarted: %s", alive.Reason())
	}
	l := listenOn(t, "tcp", ":5400")
	h.becomes(judge.None, "")
	for _, reset := range []bool{false, true} {
		c := dial(t, "127.0.0.1:5400")
		if reset {
			c.SetLinger(0)
		}
		c.Close()
		h.becomes(judge.Stalled, "queue: a connection to TCP [::]:5400 has not been accepted for ")
		if alive, _ := h.registry.Lookup([]byte("epg-liveness"), 0); alive.Cause != judge.Stalled {
			t.Errorf("stuck it is alive")
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		accepted.Close()
		h.becomes(judge.None, "")
	}
}

// TestOneOfSeveralSocketsIsStuck has two sockets listen on a port, of which the
// program accepts at one alone.
func TestOneOfSeveralSocketsIsStuck(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const reusePort = 15 // SO_REUSEPORT
	h := newEnv(t, new(bytes.Buffer))
	accepting := listenOn(t, "tcp4", "127.0.0.1:5400", reusePort)
	h.configure(atQueue("127.0.0.1:5400", 100*time.Millisecond))
	h.becomes(judge.None, "")
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
	for range 64 { // all of which to the other would be a wonder
		dial(t, "127.0.0.1:5400")
	}
	h.becomes(judge.Stalled, "connections to TCP 127.0.0.1:5400 has not been accepted")
}

// TestWhatIsLookedAtChanges gives other configurations: each counts from its
// first answer on, and none is left to be looked at in the end.
func TestWhatIsLookedAtChanges(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newEnv(t, new(bytes.Buffer))
	listenOn(t, "tcp4", "127.0.0.1:5400")
	for _, tt := range []struct {
		look  registry.HostLandmark
		cause judge.Cause
	}{
		{atPort("127.0.0.1:5400"), judge.None},
		{atPort("127.0.0.1:5401"), judge.Failed},
		{atQueue("127.0.0.1:5400", time.Second), judge.None},
		{atAddress("192.0.2.80", false), judge.Failed},
		{atAddress("127.0.0.1", false), judge.None},
	} {
		h.configure(tt.look)
		if so, why := h.is(tt.cause); !so {
			t.Errorf("%+v is not %q at once: %s", tt.look, tt.cause, why)
		}
	}
	h.server.Configure(nil)
	if every := h.server.report(); every > 0 {
		t.Errorf("with nothing to read it reads every %v", every)
	}
	if !h.server.CaughtUp() {
		t.Error("with nothing to read there is something unread")
	}
	if so, why := h.is(judge.UnknownName); !so {
		t.Error(why)
	}
}

// TestStuckQueueOutlivesAReload holds that to read the configuration again does
// not forget how long a connection has waited.
func TestStuckQueueOutlivesAReload(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newEnv(t, new(bytes.Buffer))
	listenOn(t, "tcp4", "127.0.0.1:5400")
	h.configure(atQueue("127.0.0.1:5400", 200*time.Millisecond))
	c := dial(t, "127.0.0.1:5400")
	h.becomes(judge.Stalled, "")
	c.SetLinger(0)
	c.Close() // by a reset, of which the kernel tells nothing more
	renamed := atQueue("127.0.0.1:5400", 150*time.Millisecond)
	renamed.Name = "accept queue"
	for _, landmarks := range [][]registry.HostLandmark{
		{atPort("127.0.0.1:5400"), atQueue("127.0.0.1:5400", 200*time.Millisecond)},
		{atQueue("127.0.0.1:5400", 150*time.Millisecond)},
		{renamed},
		{renamed, atQueue("127.0.0.1:5400", 100*time.Millisecond)},
	} {
		h.configure(landmarks...)
		if so, why := h.is(judge.Stalled); !so {
			t.Errorf("after a reload it is another: %s", why)
		}
	}
}

// TestWhoIsStuckAlready has a landmarkd start beside a program that hangs: it is
// found by the first reading, whatever its client sends meanwhile.
func TestWhoIsStuckAlready(t *testing.T) {
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
	h := newEnv(t, new(bytes.Buffer))
	h.configure(atQueue("127.0.0.1:5400", 100*time.Millisecond))
	if so, why := h.is(judge.Stalled); !so {
		t.Errorf("at first it is another: %s", why)
	}
}

// TestIsReadJustBeforeItIsTooLate holds that a queue is read once more before
// time alone makes it stuck.
func TestIsReadJustBeforeItIsTooLate(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	s := New(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler))
	defer s.Close()
	listenOn(t, "tcp4", "127.0.0.1:5400")
	dial(t, "127.0.0.1:5400")
	look := atQueue("127.0.0.1:5400", time.Hour)
	s.Configure(map[string]registry.Policy{"epg": {Policy: judge.Policy{Quorum: judge.NoneNeeded}, Host: []registry.HostLandmark{look}}})
	s.report()
	eventually(t, "it is to be read sooner than always", func() bool {
		s.mu.Lock()
		for _, q := range s.queues { // let it be that late
			if since, waits := q.oldest(); waits {
				late := since + q.within - recheckMargin - intervalOf(look)/2
				s.origin = time.Now().Add(-late)
			}
		}
		s.mu.Unlock()
		return s.report() < intervalOf(look)
	})
}

// TestKernelThatDoesNotTell has a kernel refuse: it is told what to do, logged
// once, and no reason to restart the program.
func TestKernelThatDoesNotTell(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const none = 31 // no protocol of netlink's
	log := new(bytes.Buffer)
	h := newEnv(t, log)
	listenOn(t, "tcp4", "127.0.0.1:5400")
	h.configure(atPort("127.0.0.1:5400"), atQueue("127.0.0.1:5400", time.Second))
	h.becomes(judge.None, "")
	fails := func(protocol int) {
		h.server.mu.Lock()
		defer h.server.mu.Unlock()
		h.server.diag.close()
		h.server.diag.protocol = protocol
	}
	right := h.server.diag.protocol
	fails(none)
	h.becomes(judge.Failed, "cannot be seen: reading the listening sockets of this host: protocol not supported: load the kernel's module tcp_diag")
	if alive, _ := h.registry.Lookup([]byte("epg-liveness"), 0); alive.Status != judge.Serving {
		t.Errorf("unseen it is to be restarted: %s", alive.Reason())
	}
	for range 10 {
		h.server.report()
	}
	fails(right)
	h.becomes(judge.None, "")
	h.server.mu.Lock()
	defer h.server.mu.Unlock()
	if refused, again := strings.Count(log.String(), "cannot be read"), strings.Count(log.String(), "can be read again"); refused != 2 || again != 2 {
		t.Errorf("of two landmarks is logged:\n%s", log)
	}
}

// TestNothingIsToldBeforeItIsReadAnew plays a pause of landmarkd's: what is on
// the host by then is read before anything is told.
func TestNothingIsToldBeforeItIsReadAnew(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	clock := clock.New()
	r := registry.New(clock, 0)
	s := New(r, slog.New(slog.DiscardHandler))
	l := listenOn(t, "tcp4", "127.0.0.1:5400")
	p := registry.DefaultPolicy
	p.Quorum, p.Host = judge.NoneNeeded, []registry.HostLandmark{atPort("127.0.0.1:5400")}
	s.Configure(map[string]registry.Policy{"epg": p})
	s.interval.Store(int64(time.Hour)) // lest it be read by chance
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	configured := s.readAt.Load()
	running.Go(func() { s.Run(ctx) })
	eventually(t, "the host is read once more", func() bool { return s.readAt.Load() != configured && len(s.wake) == 0 })
	l.Close()
	eventually(t, "the pause is one", func() bool {
		heard, real := clock.Read()
		return real.Sub(heard) > time.Millisecond
	})
	if _, settled := r.Lookup([]byte("epg"), 0); settled {
		t.Error("what was read before the pause is taken for the truth")
	}
	running.Go(func() { clock.Run(ctx, s.CaughtUp) })
	if a, err := r.Await(t.Context(), []byte("epg"), 0); err != nil || a.Cause != judge.Failed {
		t.Errorf("the first answer is %v, %q, %v", a.Status, a.Cause, err)
	}
}
