package lmp

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/lmp"
)

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	r, p := newRegistry(t)
	crowd(t, r, "crowd")
	p.report(0, fact(longAgo))
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn := s.connect(t)
	var questions [][]byte
	for range 50 {
		questions = append(questions, check(t, "epg"), describe(t, "crowd"), check(t, "nobody"))
	}
	pull := len(questions) / 2
	questions[pull] = fresh(t, lmp.KindCheck)
	go conn.Write(slices.Concat(questions...))
	for i, q := range questions {
		if i == pull { // what came before is answered before
			p.report(await(t, p.commands), fact(0))
		}
		parse(t, next(t, conn), q)
	}
}

// On TCP a description is whole.
func TestDescriptionOverTCP(t *testing.T) {
	r, _ := newRegistry(t)
	crowd(t, r, "crowd")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn, q := s.connect(t), describe(t, "crowd")
	write(t, conn, q)
	if a := parse(t, next(t, conn), q); a.Truncated || len(a.Landmarks) != 60 || a.Landmarks[0].State != lmp.StateFailing || a.Reason == "" {
		t.Errorf("truncated %v, %d landmarks, reason %q", a.Truncated, len(a.Landmarks), a.Reason)
	}
}

// While others hold all large frames, a description is answered at once, but cut short.
func TestDescriptionWhileLargeFramesAreTaken(t *testing.T) {
	r, _ := newRegistry(t)
	crowd(t, r, "crowd")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	for s.large.take() { // until none is left
	}
	conn, q := s.connect(t), describe(t, "crowd")
	write(t, conn, q, q)
	for range 2 {
		frame := next(t, conn)
		if a := parse(t, frame, q); !a.Truncated || len(frame) > smallBuffer || a.Reason == "" {
			t.Errorf("truncated %v, %d bytes, reason %q", a.Truncated, len(frame), a.Reason)
		}
	}
}

// A checker that has closed its half gets all its answers, and then the end.
func TestHalfClosedConnection(t *testing.T) {
	r, p := newRegistry(t)
	p.report(0, fact(longAgo))
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn := s.connect(t)
	questions := [][]byte{check(t, "epg"), fresh(t, lmp.KindCheck), describe(t, "epg")}
	write(t, conn, questions...)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	p.report(await(t, p.commands), fact(0))
	for _, q := range questions {
		told(t, parse(t, next(t, conn), q), lmp.StatusServing, lmp.CauseNone)
	}
	if b, err := io.ReadAll(conn); len(b) > 0 || err != nil {
		t.Errorf("then came % X, %v; want the end", b, err)
	}
}

// What came before a request that breaks the rules is answered, and what comes
// after it is not.
func TestRefusedRequestsOverTCP(t *testing.T) {
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
			told(t, parse(t, next(t, conn), first), lmp.StatusServing, lmp.CauseNone)
			closed(t, conn)
			want := before
			want[malformed]++
			if got := s.counts(); got != want {
				t.Errorf("counted %v, want %v", got, want)
			}
		})
	}
}

// A checker that goes is no refusal, however it goes.
func TestCheckersThatGo(t *testing.T) {
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
			next(t, reset)
			next(t, ended)
		}
		reset.SetLinger(0) // as HAProxy does
		reset.Close()
		ended.CloseWrite()
		closed(t, ended)
	}
	s.stop()
	if got := s.counts(); got != [refusalKinds]uint64{} {
		t.Errorf("counted %v", got)
	}
}

func TestSignedRequestsOverTCP(t *testing.T) {
	r, _ := newRegistry(t)
	one, two := key(t, 1, "a"), key(t, 2, "b")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: lmp.Keys{one, two}})
	q := lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg")}
	for name, bad := range map[string][]byte{
		"unsigned":       request(t, q, nil),
		"no such number": request(t, q, key(t, 3, "a")),
		"another secret": request(t, q, key(t, 2, "c")),
	} {
		t.Run(name, func(t *testing.T) {
			before := s.counts()
			conn := s.connect(t)
			for _, k := range []*lmp.Key{one, two} {
				signed := request(t, q, k)
				write(t, conn, signed)
				b := next(t, conn)
				told(t, parse(t, b, signed), lmp.StatusServing, lmp.CauseNone)
				if err := k.Verify(b); err != nil || len(b) != 54 {
					t.Errorf("%d bytes that are, by the question's own key, %v", len(b), err)
				}
			}
			write(t, conn, bad)
			closed(t, conn)
			if got, want := s.counts()[unauthenticated], before[unauthenticated]+1; got != want {
				t.Errorf("counted %d, want %d", got, want)
			}
		})
	}
}

// longest is a request of the greatest length that a frame can have.
func longest(t testing.TB) []byte {
	b := describe(t, "epg")
	for lmp.MaxLength-len(b) >= 2 {
		n := min(lmp.MaxLength-len(b)-2, 255)
		if rest := lmp.MaxLength - len(b) - 2 - n; rest == 1 {
			n-- // one byte is too little for a field
		}
		b = append(append(b, 0x02, byte(n)), bytes.Repeat([]byte{0x4C}, n)...)
	}
	return with(b)
}

func TestLongestFramesAndShortOnes(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn := s.connect(t)
	var questions [][]byte
	for range 3 {
		for range 20 {
			questions = append(questions, check(t, "epg"))
		}
		if q := longest(t); len(q) == lmp.MaxLength {
			questions = append(questions, q, q)
		} else {
			t.Fatalf("the longest frame has %d bytes", len(q))
		}
	}
	go func() {
		conn.Write(slices.Concat(questions...))
		conn.CloseWrite()
	}()
	for _, q := range questions {
		told(t, parse(t, next(t, conn), q), lmp.StatusServing, lmp.CauseNone)
	}
	closed(t, conn)
}

// refuser is a listener that refuses every other connection.
type refuser struct {
	net.Listener
	refused func()
}

func (l *refuser) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn.Close()
	l.refused()
	return l.Listener.Accept()
}

// Connections that are too many are counted, and the others served.
func TestTooManyConnections(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Limit: func(l net.Listener, refused func()) net.Listener {
		return &refuser{l, refused}
	}})
	for n := uint64(1); n <= 3; n++ {
		closed(t, s.connect(t))
		conn, q := s.connect(t), check(t, "epg")
		write(t, conn, q)
		told(t, parse(t, next(t, conn), q), lmp.StatusServing, lmp.CauseNone)
		if got := s.counts()[crowded]; got != n {
			t.Errorf("counted %d connections too many, want %d", got, n)
		}
	}
}

// The server goes on after the machine has run out of descriptors.
func TestOutOfDescriptors(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Limit: func(l net.Listener, _ func()) net.Listener {
		return socket.RetryAccept(l, "monitor", socket.NewRefusals(slog.New(slog.DiscardHandler)))
	}})
	warm, q := s.connect(t), check(t, "epg")
	write(t, warm, q)
	next(t, warm)
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
	at := s.at("127.0.0.1")
	connected := unix.Connect(client, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	write(t, warm, q)
	next(t, warm) // those who are there are served
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
	parse(t, b[:n], q)
}
