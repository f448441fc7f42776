package socket

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes, each with the name of a client.
type pipes struct {
	net.Listener
	coming chan pipe
}

type pipe struct {
	net.Conn
	client string
}

func (l *pipes) Accept() (net.Conn, error) { return <-l.coming, nil }

// crowd connects clients to a limitedListener.
type crowd struct {
	t      *testing.T
	l      *limitedListener[string]
	coming chan pipe
	closed []string
}

func newCrowd(t *testing.T, q Quota[string]) *crowd {
	c := &crowd{t: t, coming: make(chan pipe, 1)}
	q.Client = func(conn net.Conn) (string, error) {
		if client := conn.(pipe).client; client != "" {
			return client, nil
		}
		return "", errors.New("no name")
	}
	q.Closed = func(client string) { c.closed = append(c.closed, client) }
	c.l = LimitPer(&pipes{coming: c.coming}, q).(*limitedListener[string])
	return c
}

// guest is one connection: the client's end and the listener's, which is nil if the
// connection was refused.
type guest struct {
	near, far net.Conn
}

// connect connects a client, a second after the last event.
func (c *crowd) connect(client string) guest {
	time.Sleep(time.Second)
	near, far := net.Pipe()
	c.t.Cleanup(func() { near.Close() })
	return guest{near, c.l.admit(pipe{far, client})}
}

// send sends a byte from the client to the listener's end.
func (g guest) send() {
	go g.near.Write([]byte{0})
	io.ReadFull(g.far, make([]byte, 1))
}

// isOpen reports whether the listener's end is still open.
func (g guest) isOpen() bool {
	g.near.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := g.near.Read(make([]byte, 1))
	return !errors.Is(err, io.EOF)
}

func (c *crowd) wantClosed(clients ...string) {
	c.t.Helper()
	if !slices.Equal(c.closed, clients) {
		c.t.Errorf("closed connections of %q, want %q", c.closed, clients)
	}
	c.closed = nil
}

func (c *crowd) wantOpen(open, shut []guest) {
	c.t.Helper()
	for i, g := range open {
		if !g.isOpen() {
			c.t.Errorf("connection %d is closed, want it open", i)
		}
	}
	for i, g := range shut {
		if g.isOpen() {
			c.t.Errorf("connection %d is open, want it closed", i)
		}
	}
}

func TestNewConnectionDisplacesTheIdlestOfTheLargestClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 4})
		old := c.connect("honest")
		a, b, d := c.connect("greedy"), c.connect("greedy"), c.connect("greedy")
		a.send()
		c.wantClosed()
		other := c.connect("other")
		c.wantClosed("greedy")
		c.wantOpen([]guest{old, a, d, other}, []guest{b})
	})
}

func TestAnsweredConnectionOutlivesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 3})
		answered := c.connect("nat")
		MarkAnswered(answered.far)
		for range 5 {
			last := c.connect("nat")
			last.send() // bytes alone prove nothing
			c.wantOpen([]guest{answered, last}, nil)
		}
		c.wantClosed("nat", "nat", "nat")
	})
}

// A watcher may send nothing for hours, and is not idle while it receives.
func TestReceivingConnectionIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 2})
		watching, silent := c.connect("nat"), c.connect("nat")
		time.Sleep(time.Second)
		go io.ReadFull(watching.near, make([]byte, 1))
		watching.far.Write([]byte{0})
		c.connect("nat")
		c.wantOpen([]guest{watching}, []guest{silent})
	})
}

// If all clients have as many connections, a client without any displaces the
// idlest of all.
func TestNewClientDisplacesTheIdlestOfEquals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 3})
		one, two, three := c.connect("1"), c.connect("2"), c.connect("3")
		one.send()
		three.send()
		four := c.connect("4")
		c.wantOpen([]guest{one, three, four}, []guest{two})
		c.wantClosed("2")
	})
}

// Two clients with as many connections do not displace each other in turn.
func TestEqualClientsDoNotDisplaceEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 5})
		honest := []guest{c.connect("honest"), c.connect("honest"), c.connect("honest")}
		for range 10 {
			c.connect("flood")
		}
		c.wantOpen(honest, nil)
		if slices.Contains(c.closed, "honest") {
			t.Errorf("closed connections of %q", c.closed)
		}
	})
}

func TestPrivilegedClientIsNotDisplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 3, PerClient: 1, Privileged: func(client string) bool { return client == "root" }})
		first, user := c.connect("root"), c.connect("user")
		again := c.connect("user") // has one already
		c.wantClosed("user")
		c.wantOpen([]guest{first, again}, []guest{user})
		second, third := c.connect("root"), c.connect("root")
		c.wantClosed("user")
		c.wantOpen([]guest{first, second, third}, []guest{again})
		if g := c.connect("user"); g.far != nil {
			t.Error("a user displaced root")
		}
		c.wantClosed("user")
		c.connect("root")
		c.wantClosed("root")
		c.wantOpen([]guest{second, third}, []guest{first})
	})
}

func TestActiveConnectionIsNotDisplacedByItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 10, PerClient: 2, ActiveWithin: 10 * time.Second})
		a, b := c.connect("user"), c.connect("user")
		MarkAnswered(a.far)
		MarkAnswered(b.far)
		if g := c.connect("user"); g.far != nil {
			t.Error("the new connection was admitted")
		}
		c.wantOpen([]guest{a, b}, nil)
		time.Sleep(10 * time.Second)
		b.send()
		c.connect("user")
		c.wantOpen([]guest{b}, []guest{a})
		c.connect("user") // displaces its own silent predecessor
		c.wantOpen([]guest{b}, nil)
	})
}

func TestConnectionOfUnknownClientIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 1})
		if g := c.connect(""); g.far != nil || g.isOpen() {
			t.Error("it was admitted")
		}
		c.wantClosed()
	})
}

func TestSlotIsFreedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 2})
		a, b := c.connect("a"), c.connect("b")
		a.far.Close()
		a.far.Close()
		again := c.connect("c")
		c.wantClosed()
		c.wantOpen([]guest{b, again}, []guest{a})
		b.far.Close()
		again.far.Close()
		if s := c.l.slots; s.taken != 0 || len(s.clients) != 0 || len(s.byCount) != 0 {
			t.Errorf("%d slots are taken, %d clients kept", s.taken, len(s.clients))
		}
	})
}

// Random clients connect, close and use connections. The displaced connection is
// always the one that a naive implementation of the rule finds.
func TestDisplacedConnectionsFollowTheRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 20
		c := newCrowd(t, Quota[string]{Limit: limit})
		random := rand.New(rand.NewPCG(1, 2))
		type member struct {
			guest
			client string
			use    use
		}
		var all []*member
		for range 2000 {
			switch {
			case len(all) > 0 && random.IntN(3) == 0:
				m := all[random.IntN(len(all))]
				time.Sleep(time.Second)
				m.send()
				if random.IntN(4) == 0 {
					MarkAnswered(m.far)
				}
				m.use = m.far.(*slotConn).use()
			case len(all) > 0 && random.IntN(8) == 0:
				i := random.IntN(len(all))
				all[i].far.Close()
				all = slices.Delete(all, i, i+1)
			default:
				client := string(rune('a' + min(random.IntN(6), random.IntN(6))))
				count := map[string]int{}
				for _, m := range all {
					count[m.client]++
				}
				most := 0
				for _, n := range count {
					most = max(most, n)
				}
				var want *member
				for _, m := range all {
					due := count[m.client] == most
					if own := count[client]; own > 0 && most <= own+1 {
						due = m.client == client
					}
					if due && (want == nil || m.use.less(want.use)) {
						want = m
					}
				}
				g := c.connect(client)
				if len(all) == limit {
					if want.isOpen() {
						t.Fatalf("%s connected, and the wrong connection was displaced", client)
					}
					all = slices.DeleteFunc(all, func(m *member) bool { return m == want })
				}
				all = append(all, &member{g, client, g.far.(*slotConn).use()})
			}
		}
	})
}

func TestByAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":        "192.0.2.1/32",
		"::ffff:192.0.2.1": "192.0.2.1/32",
		"2001:db8:1:2::3":  "2001:db8:1:2::/64",
		"fe80::1%eth0":     "fe80::/64",
	} {
		addr := netip.MustParseAddr(address)
		got, err := ByAddress(addressed{remote: net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 1))})
		if err != nil || got.String() != want {
			t.Errorf("%s counts as %v, %v; want %s", address, got, err, want)
		}
	}
	if got, err := ByAddress(addressed{remote: &net.UnixAddr{}}); err == nil {
		t.Errorf("a Unix socket counts as %v", got)
	}
}

type addressed struct {
	net.Conn
	remote net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }

func TestByUser(t *testing.T) {
	path := newPath(t)
	l := LimitPer(mustListen(t, path), Quota[uint32]{Limit: 1, Client: ByUser, Closed: func(uint32) {}})
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	uid, err := ByUser(conn) // works through the slot
	if err != nil || !Privileged(uid) {
		t.Errorf("connected as %d, %v", uid, err)
	}
	if uid, err := ByUser(addressed{}); err == nil {
		t.Errorf("a connection that is not a socket has uid %d", uid)
	}
}

// wrapped is a connection that wraps another one.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

// What wraps a connection learns that it is closed, whoever closes it.
func TestClosedIsDoneWhoeverCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, Quota[string]{Limit: 1})
		displaced := c.connect("a")
		closed := Closed(wrapped{wrapped{displaced.far}})
		if closed.Err() != nil {
			t.Error("an open connection is closed")
		}
		stays := c.connect("a")
		if closed.Err() == nil {
			t.Error("a displaced connection is not closed")
		}
		closed = Closed(stays.far)
		if closed.Err() != nil {
			t.Error("the connection that displaced it is closed")
		}
		stays.far.Close()
		if closed.Err() == nil {
			t.Error("a connection that its user closed is not closed")
		}
		if Closed(displaced.near).Err() != nil {
			t.Error("a connection of another listener is closed")
		}
	})
}
