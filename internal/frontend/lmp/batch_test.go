package lmp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSocket is a socket with a batch.
type batchSocket struct {
	*udpSocket
	*batch
	receiving func() bool // made once, because a closure allocates
	sending   func(fd uintptr)
	requests  [batchSize]datagram
}

func newBatchSocket(t testing.TB, address string) *batchSocket {
	t.Helper()
	u, err := listenUDP(address, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	u.arrivals.SetDeadline(time.Now().Add(testTimeout))
	fd := u.file.Fd()
	if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20); err != nil {
		t.Fatal(err)
	}
	s := &batchSocket{udpSocket: u, batch: newTestBatch(t)}
	s.sending = func(fd uintptr) { s.batch.send(fd) }
	s.receiving = func() bool {
		if s.batch.receive(fd) != nil {
			return false
		}
		for i := range s.received {
			s.requests[i] = s.datagram(i, fd)
		}
		return true
	}
	return s
}

func newTestBatch(t testing.TB) *batch {
	t.Helper()
	b, err := newBatch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.free)
	return b
}

// receive waits for requests. They are valid until the next call.
func (s *batchSocket) receive(t testing.TB) []datagram {
	t.Helper()
	if err := s.arrivals.Wait(s.receiving); err != nil {
		t.Fatal(err)
	}
	return s.requests[:s.received]
}

// send sends the answers.
func (s *batchSocket) send(t testing.TB) {
	t.Helper()
	if err := s.udpSocket.raw.Control(s.sending); err != nil {
		t.Fatal(err)
	}
}

// at returns the socket's port at the address.
func (s *batchSocket) at(address string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(address), uint16(s.addr.(*net.UDPAddr).Port))
}

func TestBatchAllocatesNothing(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		s := newBatchSocket(t, address)
		client, err := net.DialUDP("udp", nil, s.addr.(*net.UDPAddr))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		const n = 3
		b := make([]byte, 64)
		if allocations := testing.AllocsPerRun(1000, func() {
			for range n {
				if _, err := client.Write(b); err != nil {
					t.Fatal(err)
				}
			}
			for answered := 0; answered < n; answered += s.answered {
				for i, d := range s.receive(t) {
					s.answer(i, d, append(s.out, d.data...), record{})
				}
				s.send(t)
			}
			for range n {
				if _, err := client.Read(b); err != nil {
					t.Fatal(err)
				}
			}
		}); allocations != 0 {
			t.Errorf("%s: %v allocations to receive and answer %d datagrams", address, allocations, n)
		}
	}
}

// Each of more requests than a batch holds, of both families and many lengths, keeps its
// bytes, its client and its destination, and gets its own answer.
func TestBatchKeepsRequestsApart(t *testing.T) {
	s := newBatchSocket(t, ":0")
	to := []string{"127.0.0.1", "::1", "127.0.0.2"}
	var clients []*udpClient
	for _, address := range to {
		clients = append(clients, newUDPClient(t, s.at(address)))
	}
	const n = batchSize + 5
	var sent [n][]byte
	for i := range sent {
		length := []int{0, 1, 32, 37, 1472, 1473}[i%6]
		if i == 7 {
			length = 65507 // the longest over IPv4
		}
		sent[i] = bytes.Repeat([]byte{byte(i + 1)}, length)
		clients[i%3].send(s.at(to[i%3]), sent[i])
	}
	for i := 0; i < n; {
		if together := len(s.receive(t)); together != min(batchSize, n-i) {
			t.Fatalf("received %d of %d together, want as many as a batch holds", together, n-i)
		}
		for j, d := range s.requests[:s.received] {
			if !bytes.Equal(d.data, sent[i]) {
				t.Fatalf("request %d has %d bytes, want %d of %d", i, len(d.data), len(sent[i]), i+1)
			}
			client := clients[i%3].conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
			destination := netip.MustParseAddr(to[i%3])
			if d.from.Port() != client || d.destination.address != destination || d.destination.groupAddress {
				t.Errorf("request %d came from port %d to %+v, want port %d to %v", i, d.from.Port(), d.destination, client, destination)
			}
			// The answers of a batch outgrow the memory that there is for them.
			s.answer(j, d, append(s.out, bytes.Repeat([]byte{byte(i + 1)}, i+1)...), record{})
			i++
		}
		if full := s.received == batchSize; s.full() != full {
			t.Errorf("after %d requests: full is %v", s.received, !full)
		}
		s.send(t)
	}
	for i := range sent {
		got, from := clients[i%3].receive()
		if want := bytes.Repeat([]byte{byte(i + 1)}, i+1); !bytes.Equal(got, want) || from != s.at(to[i%3]) {
			t.Fatalf("answer %d is % X from %v, want % X", i, got, from, want)
		}
	}
}

// The kernel sends nothing to port 0.
func TestAnswerThatCannotBeSentKeepsNoOther(t *testing.T) {
	for _, unsendable := range [][]int{{0}, {2}, {4}, {0, 1, 4}, {0, 1, 2, 3, 4}} {
		s := newBatchSocket(t, "127.0.0.1:0")
		c := newUDPClient(t, s.at("127.0.0.1"))
		for i := range 5 {
			c.send(s.at("127.0.0.1"), []byte{byte(i)})
		}
		for received := 0; received < 5; received += s.received {
			for i, d := range s.receive(t) {
				s.answer(i, d, append(s.out, d.data...), record{})
				if slices.Contains(unsendable, received+i) {
					copy(s.slots[i].client[2:], []byte{0, 0})
				}
			}
			s.send(t)
		}
		for i := range 5 {
			if slices.Contains(unsendable, i) {
				continue
			}
			if got, _ := c.receive(); !bytes.Equal(got, []byte{byte(i)}) {
				t.Errorf("without %v: received % X, want %X", unsendable, got, i)
			}
		}
		c.wantNothing()
	}
}

// A Unix socket has room for fewer datagrams than a batch. To send waits for no more, and
// says how many there was no room for.
func TestAnswersDoNotWaitForRoom(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	// The kernel counts more than the bytes.
	if err := unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
		t.Fatal(err)
	}
	b := newTestBatch(t)
	for i := range batchSize {
		b.requests[i].header.Namelen = 0 // the pair needs no address
		b.answer(i, datagram{}, append(b.out, byte(i)), record{})
	}
	sent, noRoom := b.send(uintptr(pair[0]))
	if sent == 0 || noRoom == 0 || sent+noRoom != batchSize {
		t.Fatalf("sent %d answers, and had no room for %d, want some of each, together %d", sent, noRoom, batchSize)
	}
	for i := range batchSize {
		if got, want := b.sent(i), i < sent; got != want {
			t.Errorf("answer %d of %d that were sent: sent is %v", i, sent, got)
		}
		var in [8]byte
		n, _, err := unix.Recvfrom(pair[1], in[:], unix.MSG_DONTWAIT)
		switch {
		case i < sent && (err != nil || n != 1 || in[0] != byte(i)):
			t.Fatalf("received % X, %v, want %X", in[:max(n, 0)], err, i)
		case i >= sent && err != unix.EAGAIN:
			t.Fatalf("after %d answers: %v, want %v", sent, err, unix.EAGAIN)
		}
	}
}

// A sandbox may refuse the system calls. To be refused for each request would look like a
// server that works.
func TestTransfersAreChecked(t *testing.T) {
	if os.Getenv("LANDMARK_REFUSE") == "" {
		for call, number := range map[string]uint32{"recvmmsg": unix.SYS_RECVMMSG, "sendmmsg": unix.SYS_SENDMMSG} {
			test := exec.Command(os.Args[0], "-test.run=^TestTransfersAreChecked$", "-test.v")
			test.Env = append(os.Environ(), fmt.Sprintf("LANDMARK_REFUSE=%d", number))
			if out, err := test.CombinedOutput(); err != nil || !strings.Contains(string(out), "the system call "+call+" is not allowed") {
				t.Errorf("without %s: %v\n%s", call, err, out)
			}
		}
		return
	}
	number, err := strconv.Atoi(os.Getenv("LANDMARK_REFUSE"))
	if err != nil {
		t.Fatal(err)
	}
	refuse(t, uint32(number))
	if _, err := listenUDP("127.0.0.1:0", 0); err != nil {
		t.Log(err)
	} else {
		t.Error("listens")
	}
}

// refuse makes the system call fail with EPERM in this thread (seccomp(2)).
func refuse(t *testing.T, number uint32) {
	t.Helper()
	runtime.LockOSThread()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number, at the beginning of struct seccomp_data
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		t.Fatal(err)
	}
}

func TestParseClient(t *testing.T) {
	s := newBatchSocket(t, "127.0.0.1:0")
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip("the loopback device is not called lo here:", err)
	}
	v4 := []byte{unix.AF_INET, 0, 0x12, 0x34, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	linkLocal := func(scope int) []byte {
		b := append([]byte{0, 0, 0x12, 0x34, 1, 2, 3, 4, 0xFE, 0x80, 24: 9}, 0, 0, 0)[:24]
		b[23] = 9
		binary.NativeEndian.PutUint16(b, unix.AF_INET6)
		return binary.NativeEndian.AppendUint32(b, uint32(scope))
	}
	binary.NativeEndian.PutUint16(v4, unix.AF_INET)
	for name, tt := range map[string]struct {
		b    []byte
		want string
	}{
		"IPv4":                     {v4, "10.0.0.1:4660"},
		"IPv6":                     {linkLocal(0), "[fe80::9]:4660"},
		"IPv6 of a device":         {linkLocal(lo.Index), "[fe80::9%lo]:4660"},
		"IPv6 of a device gone":    {linkLocal(1 << 30), "[fe80::9%1073741824]:4660"},
		"none":                     {nil, "invalid AddrPort"},
		"too short for any":        {v4[:15], "invalid AddrPort"},
		"too short for its family": {linkLocal(0)[:27], "invalid AddrPort"},
	} {
		if err := s.udpSocket.raw.Control(func(fd uintptr) {
			if got := parseClient(tt.b, fd).String(); got != tt.want {
				t.Errorf("%s: %s, want %s", name, got, tt.want)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// A batch has what was sent: the input is cut into datagrams, each after a byte for its
// length and its family.
func FuzzBatch(f *testing.F) {
	f.Add([]byte{4, 'a', 'b', 'c', 'd', 0, 129, 'e'})
	f.Add(bytes.Repeat([]byte{1, 'x', 130, 'y', 'z'}, 40))
	s := newBatchSocket(f, ":0")
	to := []netip.AddrPort{s.at("127.0.0.1"), s.at("::1")}
	clients := []*udpClient{newUDPClient(f, to[0]), newUDPClient(f, to[1])}
	f.Fuzz(func(t *testing.T, in []byte) {
		s.arrivals.SetDeadline(time.Now().Add(testTimeout))
		type sent struct {
			data   []byte
			client int
		}
		var all []sent
		for len(in) > 0 && len(all) < 2*batchSize {
			client, n := int(in[0]>>7), min(int(in[0]&0x7F), len(in)-1)
			d := sent{in[1 : 1+n], client}
			clients[client].t = t
			clients[client].send(to[client], d.data)
			all, in = append(all, d), in[1+n:]
		}
		for i := 0; i < len(all); {
			for j, d := range s.receive(t) {
				want := all[i]
				if !bytes.Equal(d.data, want.data) || d.from.Port() != clients[want.client].conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() || d.destination.address != to[want.client].Addr() {
					t.Fatalf("request %d is % X from %v to %+v, want % X to %v", i, d.data, d.from, d.destination, want.data, to[want.client])
				}
				s.answer(j, d, append(append(s.out, 'a'), d.data...), record{})
				i++
			}
			s.send(t)
		}
		for _, d := range all {
			c := clients[d.client]
			if got, from := c.receive(); string(got) != "a"+string(d.data) || from != to[d.client] {
				t.Fatalf("the answer is % X from %v, want % X", got, from, d.data)
			}
		}
	})
}
