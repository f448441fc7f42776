package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listenOn listens, and accepts no connection.
func listenOn(t *testing.T, network, address string, options ...int) *net.TCPListener {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) {
			for _, o := range options {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, o, 1)
			}
		})
		return err
	}}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func diag(t *testing.T) *netlink {
	n := newNetlink(unix.NETLINK_SOCK_DIAG)
	t.Cleanup(n.close)
	return n
}

// listening describes the sockets that listen on the port.
func listening(t *testing.T, n *netlink, port uint16) string {
	t.Helper()
	all, err := listeners(n, port)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, l := range all {
		word := fmt.Sprint(l.at)
		if l.v6only {
			word += " only"
		}
		words = append(words, fmt.Sprint(word, " with ", l.queue))
	}
	return strings.Join(words, ", ")
}

func TestListenersAreFound(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	n := diag(t)
	listenOn(t, "tcp4", "127.0.0.1:5401")
	listenOn(t, "tcp", ":5402") // of both families
	listenOn(t, "tcp4", "0.0.0.0:5403")
	listenOn(t, "tcp6", "[::]:5403") // of IPv6 only
	dial(t, "127.0.0.1:5401")
	dial(t, "127.0.0.1:5402")
	dial(t, "[::1]:5402")
	for port, want := range map[uint16]string{
		5400: "",
		5401: "127.0.0.1 with 1",
		5402: ":: with 2",
		5403: "0.0.0.0 with 0, :: only with 0",
	} {
		var got string
		eventually(t, fmt.Sprintf("%d is %q", port, want), func() bool {
			got = listening(t, n, port)
			return got == want
		})
	}
}

// Connections that their clients close still wait. Those that they reset stay in the
// queue but are not listed.
func TestClosedConnectionsWaitAndResetOnesAreNotListed(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	n := diag(t)
	l := listenOn(t, "tcp", ":5400")
	want := func(waiting, queued int) {
		t.Helper()
		var seen []connection
		var all []listener
		eventually(t, fmt.Sprintf("%d wait, %d are in the queue", waiting, queued), func() bool {
			var err error
			if all, err = listeners(n, 5400); err == nil {
				seen, err = connections(n, unix.AF_INET6, 5400)
			}
			if err != nil {
				t.Fatal(err)
			}
			return len(seen) == waiting && len(all) == 1 && all[0].queue == queued
		})
		for _, c := range seen {
			if c.to != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("one waits at %s", c.to)
			}
		}
	}
	want(0, 0)
	served := dial(t, "127.0.0.1:5400")
	want(1, 1)
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	want(0, 0)
	closing := dial(t, "127.0.0.1:5400")
	resetting := dial(t, "127.0.0.1:5400")
	dial(t, "127.0.0.1:5400")
	want(3, 3)
	closing.Close()
	want(3, 3)
	resetting.SetLinger(0)
	resetting.Close()
	want(2, 3)

	accepted.Close() // while its client does not
	want(2, 3)
	served.Close()
	want(2, 3)
	for _, left := range [][2]int{{1, 2}, {1, 1}, {0, 0}} { // in the order of their arrival
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		want(left[0], left[1])
	}
}

func TestAddressesAndARPSettingsAreRead(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	n := newNetlink(unix.NETLINK_ROUTE)
	defer n.close()
	ip(t, "link add eth0 type veth peer name eth1")
	ip(t, "link add br0 type bridge")
	ip(t, "link set eth1 master br0")
	ip(t, "link add silent type veth peer name silent1")
	ip(t, "link set silent arp off")
	for _, l := range []string{"eth0", "eth1", "br0", "silent"} {
		ip(t, "link set "+l+" up")
	}
	ip(t, "addr add 192.0.2.80/32 dev lo")
	ip(t, "addr add 10.0.0.7 peer 10.0.0.9 dev eth0")
	ip(t, "addr add 2001:db8::80/128 dev silent nodad")
	ip(t, "addr add 192.0.2.81/32 dev lo scope host")
	set(t, "ipv4/conf/all/arp_announce", "1")
	set(t, "ipv4/conf/all/arp_ignore", "3")
	set(t, "ipv4/conf/eth0/arp_announce", "2")
	set(t, "ipv4/conf/eth0/arp_ignore", "8")

	interfaces, err := links(n)
	if err != nil {
		t.Fatal(err)
	}
	all, err := addresses(n)
	if err != nil {
		t.Fatal(err)
	}
	on := make(map[string]string)
	for _, a := range all {
		on[a.String()] = fmt.Sprint(linkOf(a.link, interfaces).name, " ", a.scope)
	}
	for a, want := range map[string]string{
		"192.0.2.80": "lo 0", "192.0.2.81": "lo 254", "10.0.0.7": "eth0 0", "2001:db8::80": "silent 0", "10.0.0.9": "",
	} {
		if on[a] != want {
			t.Errorf("%s is on %q, want %q", a, on[a], want)
		}
	}
	for name, want := range map[string]string{
		"lo": "false false {0 0}", "eth0": "true false {8 2}", "eth1": "true true {0 0}", "br0": "true false {0 0}", "silent": "false false {0 0}",
	} {
		for _, l := range interfaces {
			if got := fmt.Sprint(l.resolves(), " ", l.port, " ", l.arp); l.name == name && got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	}
	if forAll, err := readARPAll(); err != nil || forAll != (arp{3, 1}) {
		t.Errorf("the settings for all interfaces are %v, %v", forAll, err)
	}
}

// landmarkd may be paused between the request and the reading of the answer.
func TestAnswerThatIsThereIsReadAfterTheDeadline(t *testing.T) {
	n := newNetlink(unix.NETLINK_ROUTE)
	defer n.close()
	if err := n.open(); err != nil {
		t.Fatal(err)
	}
	if err := n.send(unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg)); err != nil {
		t.Fatal(err)
	}
	if err := n.file.SetReadDeadline(time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	datagrams := 0
	for {
		b, err := n.read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil || len(b) < unix.SizeofNlMsghdr {
			t.Fatalf("%d bytes, %v, want a message", len(b), err)
		}
		datagrams++
	}
	if datagrams == 0 {
		t.Error("the answer was not read")
	}
}

// An IPv6 address is a problem while duplicate address detection runs.
func TestAddressUnderDuplicateDetectionIsAProblem(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	n := newNetlink(unix.NETLINK_ROUTE)
	defer n.close()
	ip(t, "link add eth0 type veth peer name eth1")
	set(t, "ipv6/conf/eth1/dad_transmits", "0")
	ip(t, "link set eth1 up")
	ip(t, "link set eth0 up")
	ip(t, "addr add 2001:db8::80/64 dev eth0")
	a := netip.MustParseAddr("2001:db8::80")
	problem := ""
	eventually(t, "the problem is duplicate address detection", func() bool {
		all, err := addresses(n)
		if err != nil {
			t.Fatal(err)
		}
		interfaces, err := links(n)
		if err != nil {
			t.Fatal(err)
		}
		problem = addressProblem(a, all, interfaces)
		return strings.Contains(problem, "duplicate address detection")
	})
}
