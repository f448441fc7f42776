package lmp

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/lmp"
)

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	r, p := newRegistry(t)
	newLargeProcess(t, r, "large")
	p.Report(fact(longAgo))
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn := s.connect(t)
	var requests [][]byte
	for range 50 {
		requests = append(requests, check(t, "epg"), describe(t, "large"), check(t, "absent"))
	}
	pull := len(requests) / 2
	requests[pull] = freshRequest(t, lmp.KindCheck)
	go conn.Write(slices.Concat(requests...))
	for i, q := range requests {
		if i == pull { // the answers before it do not wait
			p.AnswerCommand(receive(t, p.Commands), fact(0))
		}
		parseAnswer(t, readFrame(t, conn), q)
	}
}

func TestDescribeOverTCPIsNotTruncated(t *testing.T) {
	r, _ := newRegistry(t)
	newLargeProcess(t, r, "large")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn, q := s.connect(t), describe(t, "large")
	write(t, conn, q)
	if a := parseAnswer(t, readFrame(t, conn), q); a.Truncated || len(a.Landmarks) != 60 || a.Landmarks[0].State != lmp.StateFailing || a.Reason == "" {
		t.Errorf("truncated %v, %d landmarks, reason %q", a.Truncated, len(a.Landmarks), a.Reason)
	}
}

func TestDescribeWithoutLargeFrameIsTruncated(t *testing.T) {
	r, _ := newRegistry(t)
	newLargeProcess(t, r, "large")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	for s.largeFrames.acquire() { // all
	}
	conn, q := s.connect(t), describe(t, "large")
	write(t, conn, q, q)
	for range 2 {
		frame := readFrame(t, conn)
		if a := parseAnswer(t, frame, q); !a.Truncated || len(frame) > smallBuffer || a.Reason == "" {
			t.Errorf("truncated %v, %d bytes, reason %q", a.Truncated, len(frame), a.Reason)
		}
	}
}

func TestHalfClosedConnectionIsAnsweredThenClosed(t *testing.T) {
	r, p := newRegistry(t)
	p.Report(fact(longAgo))
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn := s.connect(t)
	requests := [][]byte{check(t, "epg"), freshRequest(t, lmp.KindCheck), describe(t, "epg")}
	write(t, conn, requests...)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	p.AnswerCommand(receive(t, p.Commands), fact(0))
	for _, q := range requests {
		wantAnswer(t, parseAnswer(t, readFrame(t, conn), q), lmp.StatusServing, lmp.CauseNone)
	}
	if b, err := io.ReadAll(conn); len(b) > 0 || err != nil {
		t.Errorf("received % X, %v after the answers; want the end", b, err)
	}
}

// Requests before the malformed one are answered, requests after it are not.
func TestMalformedRequestClosesConnection(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	bad := map[string][]byte{
		"another protocol": []byte("GET / HTTP/1.1\r\n\r\n"),
		"one wrong byte":   {'X'},
	}
	for name, b := range malformedRequests(t) {
		bad[name] = b
	}
	for name, b := range bad {
		t.Run(name, func(t *testing.T) {
			before := s.counts()
			conn, first, last := s.connect(t), check(t, "epg"), check(t, "")
			write(t, conn, slices.Concat(first, b, last))
			wantAnswer(t, parseAnswer(t, readFrame(t, conn), first), lmp.StatusServing, lmp.CauseNone)
			wantClosed(t, conn)
			want := before
			want[malformed]++
			if got := s.counts(); got != want {
				t.Errorf("counted %v, want %v", got, want)
			}
		})
	}
}

func TestClientDisconnectIsNoRejection(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	q := check(t, "epg")
	for _, sent := range [][]byte{nil, q[:1], q[:36], q} {
		reset, ended := s.connect(t), s.connect(t)
		for _, conn := range []interface{ Write([]byte) (int, error) }{reset, ended} {
			if _, err := conn.Write(sent); err != nil {
				t.Fatal(err)
			}
		}
		if len(sent) == len(q) {
			readFrame(t, reset)
			readFrame(t, ended)
		}
		reset.SetLinger(0) // Close resets the connection, as HAProxy does
		reset.Close()
		ended.CloseWrite()
		wantClosed(t, ended)
	}
	s.stop()
	if got := s.counts(); got != [rejectionKinds]uint64{} {
		t.Errorf("counted %v, want no rejection", got)
	}
}

func TestSignaturesOverTCP(t *testing.T) {
	r, _ := newRegistry(t)
	one, two := newKey(t, 1, "a"), newKey(t, 2, "b")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: lmp.Keys{one, two}})
	q := lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg")}
	for name, bad := range map[string][]byte{
		"unsigned":           newRequest(t, q, nil),
		"unknown key number": newRequest(t, q, newKey(t, 3, "a")),
		"another secret":     newRequest(t, q, newKey(t, 2, "c")),
	} {
		t.Run(name, func(t *testing.T) {
			before := s.counts()
			conn := s.connect(t)
			for _, k := range []*lmp.Key{one, two} {
				signed := newRequest(t, q, k)
				write(t, conn, signed)
				b := readFrame(t, conn)
				wantAnswer(t, parseAnswer(t, b, signed), lmp.StatusServing, lmp.CauseNone)
				if err := k.Verify(b); err != nil || len(b) != 54 {
					t.Errorf("an answer of %d bytes; with the key of the request: %v", len(b), err)
				}
			}
			write(t, conn, bad)
			wantClosed(t, conn)
			if got, want := s.counts()[unauthenticated], before[unauthenticated]+1; got != want {
				t.Errorf("counted %d unauthenticated requests, want %d", got, want)
			}
		})
	}
}

// longestRequest returns a request as long as a frame can be.
func longestRequest(t testing.TB) []byte {
	b := describe(t, "epg")
	for lmp.MaxLength-len(b) >= 2 {
		n := min(lmp.MaxLength-len(b)-2, 255)
		if rest := lmp.MaxLength - len(b) - 2 - n; rest == 1 {
			n-- // a field takes at least two bytes
		}
		b = append(append(b, 0x02, byte(n)), bytes.Repeat([]byte{0x4C}, n)...)
	}
	return with(b)
}

func TestLongAndShortFramesAreAnswered(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn := s.connect(t)
	var requests [][]byte
	for range 3 {
		for range 20 {
			requests = append(requests, check(t, "epg"))
		}
		if q := longestRequest(t); len(q) == lmp.MaxLength {
			requests = append(requests, q, q)
		} else {
			t.Fatalf("the longest request has %d bytes, want %d", len(q), lmp.MaxLength)
		}
	}
	go func() {
		conn.Write(slices.Concat(requests...))
		conn.CloseWrite()
	}()
	for _, q := range requests {
		wantAnswer(t, parseAnswer(t, readFrame(t, conn), q), lmp.StatusServing, lmp.CauseNone)
	}
	wantClosed(t, conn)
}

// A new connection displaces the idlest one.
func TestTooManyConnectionsAreCounted(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, MaxConns: 2})
	answered := func(conn net.Conn) {
		t.Helper()
		q := check(t, "epg")
		write(t, conn, q)
		wantAnswer(t, parseAnswer(t, readFrame(t, conn), q), lmp.StatusServing, lmp.CauseNone)
	}
	first, last := s.connect(t), s.connect(t)
	answered(first)
	answered(last)
	for n := uint64(1); n <= 3; n++ {
		answered(first) // so that last is idler
		latest := s.connect(t)
		wantClosed(t, last)
		answered(latest)
		if got := s.counts()[tooManyConnections]; got != n {
			t.Errorf("counted %d connections as too many, want %d", got, n)
		}
		last = latest
	}
	answered(first)
	s.stop()
	if got := s.counts()[tooManyConnections]; got != 3 {
		t.Errorf("counted %d connections as too many, want 3", got)
	}
}

func TestServerSurvivesDescriptorShortage(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	open, q := s.connect(t), check(t, "epg")
	write(t, open, q)
	readFrame(t, open)
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(client)

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	addr := s.addr("127.0.0.1")
	connected := unix.Connect(client, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	write(t, open, q)
	readFrame(t, open) // open connections are served
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if connected != nil {
		t.Fatal(connected)
	}
	if _, err := unix.Write(client, q); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	n, err := unix.Read(client, b)
	if err != nil {
		t.Fatal(err)
	}
	parseAnswer(t, b[:n], q)
}
