package lmp

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// udpClient.request checks the address.
func TestAnswerLeavesFromRequestedAddress(t *testing.T) {
	r, _ := newRegistry(t)
	for _, tt := range []struct {
		address string
		to      []string
	}{
		{":0", []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"}},
		{"0.0.0.0:0", []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}},
		{"[::]:0", []string{"127.0.0.2", "::1"}},
		{"127.0.0.2:0", []string{"127.0.0.2"}},
		{"[::1]:0", []string{"::1"}},
	} {
		t.Run(tt.address, func(t *testing.T) {
			s := serve(t, Config{Address: tt.address, Source: r})
			for _, address := range tt.to {
				s.wantAnswerAt(t, s.addr(address))
			}
		})
	}
}

// wantAnswerAt checks that the server answers at the address, and from it.
func (s *testServer) wantAnswerAt(t *testing.T, addr netip.AddrPort) {
	t.Helper()
	c, q := newUDPClient(t, addr), check(t, "epg")
	wantAnswer(t, parseAnswer(t, c.request(addr, q), q), lmp.StatusServing, lmp.CauseNone)
}

// A wildcard listens on IPv4 alone on a machine without IPv6.
func TestAnswerLeavesFromRequestedAddressOfOneFamily(t *testing.T) {
	r, _ := newRegistry(t)
	for family, addresses := range map[string][]string{"4": {"127.0.0.2", "127.0.0.3"}, "6": {"::1"}} {
		s := serveFamily(t, r, family)
		for _, address := range addresses {
			s.wantAnswerAt(t, s.addr(address))
		}
	}
}

// serveFamily serves on all addresses of IP version 4 or 6 alone.
func serveFamily(t *testing.T, r *registry.Registry, family string) *testServer {
	t.Helper()
	tcp, err := net.Listen("tcp"+family, ":0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp"+family, &net.UDPAddr{Port: tcp.Addr().(*net.TCPAddr).Port})
	if err != nil {
		t.Fatal(err)
	}
	udp, err := newUDPSocket(conn)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(complete(Config{Source: r}))
	s.udp = udp
	if err := s.acceptFrom(tcp.(*net.TCPListener)); err != nil {
		t.Fatal(err)
	}
	return run(t, s)
}

func TestLateAnswerLeavesFromRequestedAddress(t *testing.T) {
	r, p := newRegistry(t)
	s := serve(t, Config{Address: ":0", Source: r})
	for _, address := range []string{"127.0.0.2", "::1"} {
		p.Report(fact(longAgo))
		c, q := newUDPClient(t, s.addr(address)), freshRequest(t, lmp.KindCheck)
		go func() { p.AnswerCommand(<-p.Commands, fact(0)) }()
		wantAnswer(t, parseAnswer(t, c.request(s.addr(address), q), q), lmp.StatusServing, lmp.CauseNone)
	}
}

func TestBroadcastGetsNoAnswer(t *testing.T) {
	r, _ := newRegistry(t)
	good := check(t, "epg")
	for _, s := range []*testServer{serve(t, Config{Address: ":0", Source: r}), serveFamily(t, r, "4")} {
		s.wantNoAnswer(t, s.addr("127.255.255.255"), s.addr("127.0.0.1"), good, groupAddress, good)
	}
}

// The test has a network of its own, with a device that receives broadcasts and
// multicasts, and has addresses of each scope.
func TestOnlyUnicastDestinationsAreAnswered(t *testing.T) {
	newNetwork(t)
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: ":0", Source: r})
	for _, address := range []string{"10.9.9.1", "10.9.9.2", "fd09::1", "fd09::2", "fe80::9%d0"} {
		newUDPClient(t, s.addr(address)).retry(s.addr(address), check(t, "epg"))
		s.wantAnswerAt(t, s.addr(address)) // not in a subtest, which has another goroutine
	}
	good := check(t, "epg")
	for _, address := range []string{"10.9.9.255", "255.255.255.255", "ff02::1%d0"} {
		s.wantNoAnswer(t, s.addr(address), s.addr("10.9.9.1"), good, groupAddress, good)
	}
	// The kernel delivers no IPv4 multicast to a dual-stack socket.
	s = serveFamily(t, r, "4")
	for _, address := range []string{"10.9.9.255", "224.0.0.1"} {
		s.wantNoAnswer(t, s.addr(address), s.addr("10.9.9.1"), good, groupAddress, good)
	}
}

// newNetwork moves the test's goroutine to a new network namespace. Other
// goroutines stay outside. The thread ends with the test.
func newNetwork(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skip("making a network namespace:", err)
	}
	for _, command := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "d0", "type", "veth", "peer", "name", "d1"},
		{"link", "add", "sink", "type", "bridge"}, // down, so that d1 drops all
		{"link", "set", "d1", "up", "master", "sink"},
		{"link", "set", "d0", "up"},
		{"address", "add", "10.9.9.1/24", "broadcast", "+", "dev", "d0"},
		{"address", "add", "10.9.9.2/24", "dev", "d0"},
		{"address", "add", "fd09::1/64", "dev", "d0", "nodad"},
		{"address", "add", "fd09::2/64", "dev", "d0", "nodad"},
		{"address", "add", "fe80::9/64", "dev", "d0", "nodad"},
		{"route", "add", "default", "dev", "d0"},
	} {
		if out, err := exec.Command("ip", command...).CombinedOutput(); err != nil {
			t.Skipf("ip %v: %v %s", command, err, out)
		}
	}
}

// control returns a control message as the kernel encodes it.
func control(level, kind int32, body ...byte) []byte {
	return appendMessage(nil, level, kind, body)
}

// unix.PktInfo4 encodes the C library's structures of this architecture.
func TestControlMessageHasKernelLayout(t *testing.T) {
	info := unix.Inet4Pktinfo{Ifindex: 3, Spec_dst: [4]byte{10, 0, 0, 1}, Addr: [4]byte{10, 0, 0, 2}}
	want := unix.PktInfo4(&info)
	body := binary.NativeEndian.AppendUint32(nil, 3)
	got := control(unix.IPPROTO_IP, unix.IP_PKTINFO, append(body, 10, 0, 0, 1, 10, 0, 0, 2)...)
	if !bytes.Equal(got, want) {
		t.Errorf("% X, want % X", got, want)
	}
}

func TestDestinationAllocatesNothing(t *testing.T) {
	var room [64]byte
	received := [][]byte{
		control(unix.IPPROTO_IP, unix.IP_PKTINFO, make([]byte, pktinfo4)...),
		control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, make([]byte, pktinfo6)...),
	}
	for _, b := range received {
		if n := testing.AllocsPerRun(100, func() { parseDestination(b).append(room[:0]) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestParseDestination(t *testing.T) {
	v6 := netip.MustParseAddr("fd09::1")
	b6 := v6.As16()
	of4 := control(unix.IPPROTO_IP, unix.IP_PKTINFO, 3, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 1)
	broadcast := control(unix.IPPROTO_IP, unix.IP_PKTINFO, 3, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 255)
	of6 := control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append(b6[:], 3, 0, 0, 0)...)
	other := control(unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1, 2, 3)
	endless := control(unix.SOL_SOCKET, 0)
	clear(endless[:unix.SizeofPtr]) // its length
	ten := netip.MustParseAddr("10.0.0.1")
	for name, tt := range map[string]struct {
		control []byte
		want    destination
	}{
		"none":                {nil, destination{}},
		"IPv4":                {of4, destination{address: ten, device: 3}},
		"broadcast":           {broadcast, destination{address: ten, device: 3, groupAddress: true}},
		"IPv6":                {of6, destination{address: v6, device: 3}},
		"both, IPv6 first":    {append(of6[:len(of6):len(of6)], broadcast...), destination{address: ten, device: 3, groupAddress: true}},
		"both, IPv4 first":    {append(broadcast[:len(broadcast):len(broadcast)], of6...), destination{address: ten, device: 3, groupAddress: true}},
		"after another":       {append(other[:len(other):len(other)], of4...), destination{address: ten, device: 3}},
		"cut":                 {of4[:len(of4)-8], destination{}},
		"a length of 0":       {append(endless, of4...), destination{}},
		"less than a header":  {of4[:7], destination{}},
		"too short for IPv6":  {control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, 1, 2, 3), destination{}},
		"too short for IPv4":  {control(unix.IPPROTO_IP, unix.IP_PKTINFO, 1, 2, 3), destination{}},
		"of another protocol": {control(unix.IPPROTO_TCP, unix.IP_PKTINFO, make([]byte, 12)...), destination{}},
	} {
		if got := parseDestination(tt.control); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// append encodes the address that parseDestination decoded, as the source of the
// answer.
func FuzzDestination(f *testing.F) {
	f.Add(control(unix.IPPROTO_IP, unix.IP_PKTINFO, 3, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 1))
	f.Add(control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append([]byte{0xFE, 0x80, 15: 9}, 3, 0, 0, 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := parseDestination(b)
		var room [64]byte
		answer := d.append(room[:0])
		if len(answer) > len(room) {
			t.Errorf("%d bytes of control messages", len(answer))
		}
		if !d.address.IsValid() {
			if len(answer) != 0 {
				t.Errorf("% X for no address", answer)
			}
			return
		}
		var source netip.Addr
		if body := answer[unix.CmsgLen(0):]; d.address.Is4() {
			source = netip.AddrFrom4([4]byte(body[4:]))
		} else {
			source = netip.AddrFrom16([16]byte(body))
		}
		if source != d.address {
			t.Errorf("the answer leaves from %v, want %v", source, d.address)
		}
	})
}
