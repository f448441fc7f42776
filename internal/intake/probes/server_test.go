package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nettest"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTimeout is how long a test waits for an event, on the slowest machine.
const testTimeout = time.Minute

// env is a running server.
type env struct {
	t      *testing.T
	server *Server
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{t: t}
	started := time.Now()
	e.server = New(Config{Awake: func() time.Duration { return time.Since(started) }})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { e.server.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	e.until("it runs", func() bool {
		e.server.mu.Lock()
		defer e.server.mu.Unlock()
		return e.server.ctx != nil
	})
	return e
}

func (e *env) until(what string, holds func() bool) {
	e.t.Helper()
	for began := time.Now(); !holds(); {
		if time.Since(began) > testTimeout {
			e.t.Fatalf("not within %v: %s", testTimeout, what)
		}
	}
}

// configure makes these the only checks.
func (e *env) configure(checks map[string]*probe.Check) {
	e.t.Helper()
	e.server.Prepare(checks)()
}

// next waits until a check of the service has ended, and returns the fact.
func (e *env) next(service string) registry.Fact {
	e.t.Helper()
	late := time.After(testTimeout)
	for {
		select {
		case name := <-e.server.Finished():
			if name == service {
				fact, _ := e.server.Read(service, time.Now())
				return fact
			}
		case <-late:
			e.t.Fatalf("no check of %s has ended within %v", service, testTimeout)
		}
	}
}

// becomes waits until a check of the service ends with this result, and with a reason
// that contains reason.
func (e *env) becomes(service string, met bool, reason string) registry.Fact {
	e.t.Helper()
	for began := time.Now(); ; {
		fact := e.next(service)
		if fact.Met == met && strings.Contains(fact.Reason, reason) {
			return fact
		}
		if time.Since(began) > testTimeout {
			e.t.Fatalf("got %+v, want met %v, because of %q", fact, met, reason)
		}
	}
}

func text(t *testing.T, s string) probe.Step {
	t.Helper()
	p, err := probe.Text(s)
	if err != nil {
		t.Fatal(err)
	}
	return probe.Step{Expect: p}
}

// ping returns a check that sends ping and expects pong.
func ping(t *testing.T, network probe.Network, address string) *probe.Check {
	return &probe.Check{
		Network: network, Address: address, Every: 20 * time.Millisecond, Within: 100 * time.Millisecond, Fall: 1, Rise: 1,
		Steps: []probe.Step{{Send: []byte("ping")}, text(t, "pong")},
	}
}

// answer answers what a connection sends with reply.
func answer(reply string) func(net.Conn) {
	return func(c net.Conn) {
		if n, _ := c.Read(make([]byte, 9)); n > 0 {
			c.Write([]byte(reply))
			c.Read(make([]byte, 1)) // until the client closes it
		}
	}
}

// Only the expected answer holds; neither an open port nor another answer does.
func TestChecksOverTCP(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	full, stuck := net.Listen("tcp", "127.0.0.1:0") // accepts nothing, though its port is open
	if stuck != nil {
		t.Fatal(stuck)
	}
	defer full.Close()
	byByte := func(c net.Conn) {
		for _, b := range "pong" {
			c.Write([]byte{byte(b)})
			<-time.After(time.Millisecond)
		}
	}
	for _, tt := range []struct {
		name, address string
		met           bool
		reason        string
	}{
		{"right", nettest.ServeTCP(t, "127.0.0.1:0", answer("pong, and more")), true, ""},
		{"right, byte by byte", nettest.ServeTCP(t, "127.0.0.1:0", byByte), true, ""},
		{"wrong", nettest.ServeTCP(t, "127.0.0.1:0", answer("pang")), false, `step 2: received "pang", expected "pong"`},
		{"silent", nettest.ServeTCP(t, "127.0.0.1:0", func(c net.Conn) { c.Read(make([]byte, 9)); c.Read(make([]byte, 9)) }), false, `step 2: no answer within 100 ms, expected "pong"`},
		{"accepts nothing", full.Addr().String(), false, `step 2: no answer within 100 ms, expected "pong"`},
		{"too little", nettest.ServeTCP(t, "127.0.0.1:0", answer("po")), false, `step 2: received only "po" within 100 ms, expected "pong"`},
		{"closes", nettest.ServeTCP(t, "127.0.0.1:0", func(c net.Conn) { c.Read(make([]byte, 4)) }), false, `step 2: the program closed the connection, expected "pong"`},
		{"closed port", closed.Addr().String(), false, "connecting to TCP " + closed.Addr().String() + ": connection refused"},
	} {
		e := newEnv(t)
		e.configure(map[string]*probe.Check{"epg": ping(t, probe.TCP, tt.address)})
		for range 3 {
			fact := e.next("epg")
			if fact.Met != tt.met || fact.Unreadable || fact.Reason != tt.reason || !fact.Reached || fact.Value <= 0 {
				t.Errorf("%s: got %+v, want %v, %q", tt.name, fact, tt.met, tt.reason)
			}
		}
	}
}

func TestChecksOverUDP(t *testing.T) {
	reply := func(s string) func([]byte) []byte {
		return func(b []byte) []byte {
			if string(b) != "ping" {
				return []byte("what?")
			}
			return []byte(s)
		}
	}
	unused := bound(t)
	unused.Close()
	for _, tt := range []struct {
		name, address string
		met           bool
		reason        string
	}{
		{"right", nettest.ServeUDP(t, "127.0.0.1:0", reply("pong")), true, ""},
		{"wrong", nettest.ServeUDP(t, "127.0.0.1:0", reply("xpong")), false, `step 2: received "xpong", expected "pong"`},
		{"empty", nettest.ServeUDP(t, "127.0.0.1:0", func([]byte) []byte { return []byte{} }), false, `step 2: received "", expected "pong"`},
		{"bound, and not read", bound(t).LocalAddr().String(), false, `step 2: no answer within 100 ms, expected "pong"`},
		{"not bound", unused.LocalAddr().String(), false, "step 2: nothing receives on UDP " + unused.LocalAddr().String() + ": connection refused"},
	} {
		e := newEnv(t)
		e.configure(map[string]*probe.Check{"epg": ping(t, probe.UDP, tt.address)})
		for range 3 {
			if fact := e.next("epg"); fact.Met != tt.met || fact.Unreadable || fact.Reason != tt.reason {
				t.Errorf("%s: got %+v, want %v, %q", tt.name, fact, tt.met, tt.reason)
			}
		}
	}
}

func bound(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A program whose Unix socket accepts nothing fails even when its queue is full, which
// connect(2) reports at once.
func TestChecksOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	e := newEnv(t)
	e.configure(map[string]*probe.Check{"epg": ping(t, probe.Unix, path)})
	e.becomes("epg", false, "connecting to "+path+": no such file or directory")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	e.becomes("epg", false, "connecting to "+path+": connection refused")
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	e.becomes("epg", false, "no answer within 100 ms")
	if fact := e.becomes("epg", false, "connecting to "+path+": its queue of connections is full"); fact.Unreadable {
		t.Error("a full queue counts as landmarkd's own failure")
	}
	l, err := net.Listen("unix", path+"2")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer("pong")(c)
			c.Close()
		}
	}()
	e.configure(map[string]*probe.Check{"epg": ping(t, probe.Unix, path+"2")})
	e.becomes("epg", true, "")
}

// A name must be one of this host. An address is taken as it is.
func TestNamesMustResolveToThisHost(t *testing.T) {
	addresses := map[string]string{"localhost": "127.0.0.1", "own": "192.0.2.7", "elsewhere": "203.0.113.4", "mapped": "::ffff:127.0.0.1"}
	d := dialer{
		lookUp: func(_ context.Context, _, host string) (all []netip.Addr, err error) {
			if host == "both" {
				return []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1")}, nil
			}
			if addresses[host] == "" {
				return nil, &net.DNSError{Err: "no such host", Name: host}
			}
			return []netip.Addr{netip.MustParseAddr(addresses[host])}, nil
		},
		addresses: func() ([]net.Addr, error) {
			return []net.Addr{&net.IPNet{IP: net.ParseIP("192.0.2.7"), Mask: net.CIDRMask(24, 32)}}, nil
		},
	}
	for address, want := range map[string]string{
		"localhost:80":    "[127.0.0.1:80]",
		"mapped:80":       "[127.0.0.1:80]",
		"both:80":         "[127.0.0.1:80 [::1]:80]",
		"own:80":          "[192.0.2.7:80]",
		"203.0.113.4:80":  "[203.0.113.4:80]",
		"[2001:db8::1]:1": "[[2001:db8::1]:1]",
		"elsewhere:80":    "elsewhere resolves to 203.0.113.4, which is not an address of this host: write the address itself if you mean that",
		"none:80":         "resolving its name: lookup none: no such host",
	} {
		all, err := d.resolve(t.Context(), address)
		got := fmt.Sprint(all)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	if _, err := d.dial(t.Context(), &probe.Check{Network: probe.TCP, Address: "elsewhere:80"}); !errors.As(err, new(*ownError)) {
		t.Errorf("a name that resolves elsewhere: got error %v, want one of landmarkd's own", err)
	}
}

// A real lookup of a name that does not exist is landmarkd's own failure, and ends in
// time.
func TestNameThatDoesNotResolve(t *testing.T) {
	e := newEnv(t)
	e.configure(map[string]*probe.Check{"epg": ping(t, probe.TCP, "no-such-host.invalid:80")})
	if fact := e.next("epg"); fact.Met || !fact.Unreadable || !strings.Contains(fact.Reason, "resolving its name") {
		t.Errorf("got %+v", fact)
	}
}

// A new configuration keeps the results of checks that ask the same, and waits for the
// first results of others. Those that are gone have ended.
func TestPrepare(t *testing.T) {
	e := newEnv(t)
	go func() {
		for {
			select {
			case <-e.server.Finished():
			case <-t.Context().Done():
				return
			}
		}
	}()
	address := nettest.ServeTCP(t, "127.0.0.1:0", answer("pong"))
	first := ping(t, probe.TCP, address)
	e.configure(map[string]*probe.Check{"epg": first, "old": first})
	for _, name := range []string{"epg", "old"} {
		if fact, _ := e.server.Read(name, time.Now()); !fact.Met {
			t.Fatalf("the result of %s is %+v", name, fact)
		}
	}
	same, rarer := ping(t, probe.TCP, address), ping(t, probe.TCP, address)
	rarer.Every = time.Hour
	wrong := ping(t, probe.TCP, nettest.ServeTCP(t, "127.0.0.1:0", answer("pang")))
	before := e.server.current["epg"]
	e.configure(map[string]*probe.Check{"epg": same, "new": wrong})
	if e.server.current["epg"] != before {
		t.Error("a check that is the same was begun again")
	}
	if fact, _ := e.server.Read("new", time.Now()); !fact.Reached || fact.Met {
		t.Errorf("the result of the new check is %+v", fact)
	}
	if fact, _ := e.server.Read("old", time.Now()); fact.Reached {
		t.Errorf("the result of a check that is gone is %+v", fact)
	}
	apply := e.server.Prepare(map[string]*probe.Check{"epg": wrong, "new": rarer})
	if fact, _ := e.server.Read("epg", time.Now()); !fact.Met {
		t.Errorf("before the new configuration is in effect, the result is %+v", fact)
	}
	apply()
	if fact, _ := e.server.Read("epg", time.Now()); fact.Met {
		t.Errorf("the new check has the result of the old: %+v", fact)
	}
	var connections atomic.Int64
	once := ping(t, probe.TCP, nettest.ServeTCP(t, "127.0.0.1:0", func(c net.Conn) {
		if connections.Add(1) == 1 {
			answer("pong")(c)
		}
		c.Read(make([]byte, 9))
		c.Read(make([]byte, 9)) // until the client closes it
	}))
	once.Every = time.Hour
	e.configure(map[string]*probe.Check{"once": once})
	held := e.server.current["once"].result()
	slower := *once
	slower.Within = time.Minute
	e.configure(map[string]*probe.Check{"once": &slower})
	if got := e.server.current["once"].result(); got != held || !got.series.Holds {
		t.Errorf("with another time only, the result is %+v, want %+v", got, held)
	}
}

// Until the first check has ended there is no fact. A result that holds is overdue once
// the next check should have been made.
func TestOverdue(t *testing.T) {
	p := &prober{check: &probe.Check{Every: time.Second, Within: time.Second}}
	if fact, overdue := p.fact(time.Now()); fact.Reached || overdue {
		t.Errorf("before the first check: got %+v, overdue %v", fact, overdue)
	}
	for _, tt := range []struct {
		holds   bool
		ago     time.Duration
		overdue bool
	}{
		{true, 0, false},
		{true, time.Minute, true},
		{false, time.Minute, false},
	} {
		now := time.Now()
		p.last = result{probe.Series{Checked: true, Holds: tt.holds}, now.Add(-tt.ago)}
		if fact, overdue := p.fact(now); overdue != tt.overdue || fact.Met != tt.holds || fact.Age != tt.ago {
			t.Errorf("%+v: got %+v, overdue %v", tt, fact, overdue)
		}
	}
}
