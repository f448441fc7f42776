package probe

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/test/freeport"
)

// nameServer starts a DNS server that returns the addresses for every name, and returns
// a resolver that uses it.
func nameServer(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for q := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(q)
			if err != nil {
				return
			}
			// RFC 1035, section 4.1: a header of 12 bytes, then the name, which ends
			// with an empty label, then the type (2 bytes) and the class (2).
			end := 12
			for q[end] != 0 {
				end += 1 + int(q[end])
			}
			kind := binary.BigEndian.Uint16(q[end+1:])
			end += 5
			answer := append([]byte(nil), q[:min(end, n)]...)
			answer[2], answer[3] = 0x84, 0 // an authoritative answer
			clear(answer[6:12])
			for _, address := range addresses {
				a := netip.MustParseAddr(address)
				if (kind == 1) != a.Is4() || (kind == 28) != a.Is6() { // A, AAAA
					continue
				}
				answer[7]++
				answer = append(answer, 0xC0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 60) // the same name, class IN, for 60 s
				answer = binary.BigEndian.AppendUint16(answer, uint16(len(a.AsSlice())))
				answer = append(answer, a.AsSlice()...)
			}
			conn.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// listenFull listens at the address with a full accept queue: connections to it are
// never established.
func listenFull(t *testing.T, address string) {
	t.Helper()
	at := netip.MustParseAddrPort(address)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the accept queue does not fill up")
}

// listenSilently accepts requests at the address and does not answer.
func listenSilently(t *testing.T, network, address string) {
	listen(t, network, address, func(lmp.Request, []byte) []byte { return nil })
}

// freePort returns a port that is free at each of the addresses.
func freePort(t *testing.T, addresses []string) string {
	t.Helper()
search:
	for range 100 {
		free, err := freeport.Address()
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(free)
		for _, address := range addresses {
			l, err := net.Listen("tcp", net.JoinHostPort(address, port))
			if err != nil {
				continue search
			}
			l.Close()
			u, err := net.ListenPacket("udp", net.JoinHostPort(address, port))
			if err != nil {
				continue search
			}
			u.Close()
		}
		return port
	}
	t.Fatal("no port is free at all the addresses")
	return ""
}

// Do and Watch find the one address of a name that answers, well before the timeout,
// whatever the others do.
func TestAnyAddressMayAnswer(t *testing.T) {
	const timeout = 30 * time.Second
	refuse := func(*testing.T, string, string) {}
	full := func(t *testing.T, network, address string) {
		if network == "tcp" {
			listenFull(t, address)
		} else {
			listenSilently(t, network, address)
		}
	}
	for name, tt := range map[string]struct {
		addresses []string
		bad       func(t *testing.T, network, address string)
	}{
		"IPv6 refuses":          {[]string{"::1", "127.0.0.1"}, refuse},
		"IPv6 is silent":        {[]string{"::1", "127.0.0.1"}, listenSilently},
		"IPv4 refuses":          {[]string{"127.0.0.1", "::1"}, refuse},
		"three refuse":          {[]string{"127.0.0.2", "127.0.0.3", "::1", "127.0.0.1"}, refuse},
		"three are silent":      {[]string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"}, listenSilently},
		"three queues are full": {[]string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"}, full},
		"four refuse":           {[]string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.1"}, refuse},
	} {
		good := tt.addresses[len(tt.addresses)-1]
		resolver := nameServer(t, tt.addresses...)
		for _, network := range []string{"udp", "tcp", "watch"} {
			t.Run(name+" "+network, func(t *testing.T) {
				transport := network
				if network == "watch" {
					transport = "tcp"
				}
				port := freePort(t, tt.addresses)
				for _, address := range tt.addresses[:len(tt.addresses)-1] {
					tt.bad(t, transport, net.JoinHostPort(address, port))
				}
				listen(t, transport, net.JoinHostPort(good, port), func(req lmp.Request, _ []byte) []byte {
					a := answerTo(req)
					return lmp.AppendAnswer(nil, &a, lmp.MaxLength, nil)
				})
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				d := dialer{network: transport, address: "epg.test:" + port, resolver: resolver}
				start := time.Now()
				var a lmp.Answer
				var err error
				if network == "watch" {
					a, err = firstAnswer(ctx, t, d, timeout)
				} else {
					e := mustExchange(t, Request{Kind: lmp.KindCheck, Service: "epg"})
					send := e.sendUDP
					if network == "tcp" {
						send = e.sendTCP
					}
					a, err = sendToAny(ctx, d, send)
				}
				if err != nil || a.Status != lmp.StatusServing {
					t.Fatalf("%+v, %v", a, err)
				}
				if took := time.Since(start); took > timeout/2 {
					t.Errorf("the answer came after %v, want it well before %v", took, timeout)
				}
			})
		}
	}
}

// firstAnswer returns the first update of a Watch of the server.
func firstAnswer(ctx context.Context, t *testing.T, d dialer, silence time.Duration) (lmp.Answer, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first := Update{Err: errTimeout}
	w, err := newWatcher(WatchRequest{Address: d.address, Service: "epg", Silence: silence}, func(u Update) {
		if first.Err != nil {
			first = u
		}
		cancel()
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server = d
	w.run(ctx)
	return first.Answer, first.Err
}

// A host that is an IP address is not looked up and has one connection. A name has at
// most MaxConnections addresses.
func TestAddresses(t *testing.T) {
	broken := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("an IP address was looked up")
		return nil, errBroken
	}}
	for _, address := range []string{"10.0.0.7:19533", "[::1]:19533", "[fe80::7%eth0]:19533", ":19533"} {
		all, err := dialer{address: address, resolver: broken}.addresses(t.Context())
		if err != nil || len(all) != 1 || all[0] != address || MaxConnections(address) != 1 {
			t.Errorf("%s: %v, %v, %d connections", address, all, err, MaxConnections(address))
		}
	}
	many := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9"}
	all, err := dialer{address: "epg.test:19533", resolver: nameServer(t, many...)}.addresses(t.Context())
	if err != nil || len(all) != MaxConnections("epg.test:19533") || all[0] != "127.0.0.1:19533" {
		t.Errorf("of 9 addresses, %v are tried, %v", all, err)
	}
}
