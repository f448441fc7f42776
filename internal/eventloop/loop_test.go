package eventloop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTimeout is how long a test waits for what must happen.
const testTimeout = time.Minute

// run runs the loop until the test ends, or stop is called.
func run(t *testing.T, l *Loop) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

func newLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// do runs f in the loop, and waits until it has.
func do(t *testing.T, l *Loop, f func()) {
	t.Helper()
	done := make(chan struct{})
	l.Post(func() { f(); close(done) })
	receive(t, done)
}

func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(testTimeout):
		t.Fatal("timed out")
	}
	return v
}

// echo is a handler that sends back what it reads, size bytes at a time. It sends each
// call to calls, if that is not nil.
type echo struct {
	Conn
	size   int
	calls  chan string
	unsent []byte
	ended  bool
	reads  *[]int // the keys of the connections that read, in order
}

func (e *echo) call(name string) {
	if e.calls != nil {
		e.calls <- name
	}
}

func (e *echo) Ready() {
	if len(e.unsent) == 0 {
		b := make([]byte, e.size)
		n, err := e.Read(b)
		if n > 0 && e.reads != nil {
			*e.reads = append(*e.reads, e.key)
		}
		e.unsent = b[:n]
		if err != nil {
			e.Close()
			return
		}
	}
	n, err := e.Write(e.unsent)
	if err != nil {
		e.Close()
		return
	}
	if e.unsent = e.unsent[n:]; len(e.unsent) == 0 && e.Readable() {
		e.Queue()
	}
}

func (e *echo) Due() { e.call("due") }

func (e *echo) Close() error {
	if !e.ended {
		e.ended = true
		e.call("closed")
	}
	return e.Conn.Close()
}

// echoes accepts connections that echo.
type echoes struct {
	loop   *Loop
	made   func() *echo
	failed chan error
}

func (a *echoes) Accepted(s Socket, key int, _ netip.Addr) {
	e := a.made()
	if err := a.loop.Add(&e.Conn, s, key, e); err != nil {
		s.Close()
	}
}

func (a *echoes) AcceptFailed(err error) { a.failed <- err }

// listen makes the loop accept connections that echo, and returns the address.
func listen(t *testing.T, l *Loop, made func() *echo) (address string, a *echoes) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a = &echoes{l, made, make(chan error, 100)}
	if err := l.Listen(tcp.(*net.TCPListener), a); err != nil {
		t.Fatal(err)
	}
	return tcp.Addr().String(), a
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(testTimeout))
	return conn
}

// All bytes come back, of many connections at once, of which some send more than the
// kernel buffers before they read.
func TestConnectionsEcho(t *testing.T) {
	l := newLoop(t)
	address, _ := listen(t, l, func() *echo { return &echo{size: 16 << 10} })
	run(t, l)
	random := make([]byte, 12<<20+50)
	rand.NewChaCha8([32]byte{}).Read(random)
	var clients sync.WaitGroup
	for i := range 50 {
		conn := dial(t, address)
		clients.Go(func() {
			sent := random[i:][:1+i*997]
			if i%10 == 0 {
				sent = random[i:][:12<<20]
			}
			go func() {
				conn.Write(sent)
				conn.(*net.TCPConn).CloseWrite()
			}()
			got, err := io.ReadAll(conn)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("connection %d: got %d bytes, %v, want %d", i, len(got), err, len(sent))
			}
		})
	}
	clients.Wait()
}

// A connection that always has something to read does not keep the loop from others.
func TestBusyConnectionLetsOthersRead(t *testing.T) {
	l := newLoop(t)
	var reads []int
	accepted := make(chan *echo, 2)
	address, _ := listen(t, l, func() *echo {
		e := &echo{size: 10, reads: &reads}
		accepted <- e
		return e
	})
	busy, other := dial(t, address), dial(t, address)
	for _, conn := range []net.Conn{busy, other} {
		if _, err := conn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, l)
	first, second := receive(t, accepted), receive(t, accepted)
	for _, conn := range []net.Conn{busy, other} {
		if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	do(t, l, func() {
		for i := 2; i < len(reads); i++ {
			if reads[i] == reads[i-1] && reads[i] == reads[i-2] && slices.Contains(reads[i:], first.key+second.key-reads[i]) {
				t.Errorf("connection %d read three times in a row", reads[i])
				break
			}
		}
	})
}

// Deadlines pass in order, however they were moved.
func TestDeadlines(t *testing.T) {
	l := newLoop(t)
	accepted := make(chan *echo, 3)
	calls := make(chan string, 10)
	address, _ := listen(t, l, func() *echo {
		e := &echo{size: 10, calls: calls}
		accepted <- e
		return e
	})
	run(t, l)
	var all []*echo
	for range 3 {
		dial(t, address)
		all = append(all, receive(t, accepted))
	}
	var begun time.Duration
	do(t, l, func() {
		begun = l.Now()
		all[0].SetDeadline(begun + time.Millisecond)
		all[0].SetDeadline(begun + 60*time.Millisecond) // later
		all[1].SetDeadline(begun + time.Hour)
		all[1].SetDeadline(begun + 30*time.Millisecond) // earlier
		all[2].SetDeadline(begun + time.Millisecond)
		all[2].SetDeadline(0)
	})
	for i, want := range []struct {
		conn  int
		after time.Duration
	}{{1, 30 * time.Millisecond}, {0, 60 * time.Millisecond}} {
		if call := receive(t, calls); call != "due" {
			t.Fatalf("got the call %q, want due", call)
		}
		do(t, l, func() {
			if l.Now()-begun < want.after {
				t.Errorf("call %d came after %v, want %v", i, l.Now()-begun, want.after)
			}
			if all[want.conn].index >= 0 {
				t.Errorf("call %d was not about connection %d", i, want.conn)
			}
		})
	}
	select {
	case call := <-calls:
		t.Errorf("got another call %q", call)
	case <-time.After(50 * time.Millisecond):
	}
}

// What is posted runs, in order, whether the loop waits or not, and from many goroutines.
func TestPostedFunctionsRunInOrder(t *testing.T) {
	l := newLoop(t)
	run(t, l)
	var got [4][]int
	var posting sync.WaitGroup
	for p := range got {
		posting.Go(func() {
			for i := range 1000 {
				l.Post(func() { got[p] = append(got[p], i) })
				if i%100 == 0 {
					l.Turn(t.Context()) // after which the loop waits
				}
			}
		})
	}
	posting.Wait()
	do(t, l, func() {
		for p := range got {
			if len(got[p]) != 1000 || !slices.IsSorted(got[p]) {
				t.Errorf("of goroutine %d, %d functions ran, want 1000 in order", p, len(got[p]))
			}
		}
	})
}

func TestTurn(t *testing.T) {
	l := newLoop(t)
	stop := run(t, l)
	for range 3 {
		if err := l.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	hangs, resume := make(chan struct{}), make(chan struct{})
	l.Post(func() { close(hangs); <-resume })
	<-hangs
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Turn(ctx); err != context.DeadlineExceeded {
		t.Errorf("while the loop hangs: got %v, want %v", err, context.DeadlineExceeded)
	}
	close(resume)
	if err := l.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := l.Turn(t.Context()); err != ErrEnded {
		t.Errorf("after the end: got %v, want %v", err, ErrEnded)
	}
	l.Post(func() { t.Error("a function ran after the end") })
}

// The end closes all connections, and the port.
func TestStopClosesAll(t *testing.T) {
	l := newLoop(t)
	calls := make(chan string, 10)
	address, _ := listen(t, l, func() *echo { return &echo{size: 10, calls: calls} })
	stop := run(t, l)
	var conns []net.Conn
	for range 5 {
		conn := dial(t, address)
		conn.Write([]byte("x"))
		io.ReadFull(conn, make([]byte, 1))
		conns = append(conns, conn)
	}
	stop()
	for _, conn := range conns {
		if n, err := conn.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
			t.Errorf("got %d bytes, %v, want the end", n, err)
		}
		if call := receive(t, calls); call != "closed" {
			t.Errorf("got the call %q, want closed", call)
		}
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

// latePoller sets its first deadline only after the loop was stopped, and Post has set
// another.
type latePoller struct {
	Poller
	stop   func()
	calls  atomic.Int32
	posted chan struct{}
}

func (p *latePoller) SetDeadline(at time.Time) error {
	switch p.calls.Add(1) {
	case 1:
		p.stop()
		<-p.posted
	case 2:
		defer close(p.posted)
	}
	return p.Poller.SetDeadline(at)
}

// A loop that is stopped when it is about to wait does not wait.
func TestStopWhileDeadlineIsSet(t *testing.T) {
	e, err := newEpoll()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	l := NewWith(&latePoller{Poller: e, stop: stop, posted: make(chan struct{})})
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	if err := receive(t, ended); err != nil {
		t.Error(err)
	}
}
