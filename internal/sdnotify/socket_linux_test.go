package sdnotify

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is what a datagram had.
type received struct {
	data      string
	truncated bool
	pid       int
	uid       uint32
	waited    time.Duration
	files     int
}

// listener is a socket, and what it has received.
type listener struct {
	*Socket
	path string
	all  []received
}

func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{path: filepath.Join(t.TempDir(), "notify.sock")}
	conn, err := Listen(l.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if l.Socket, err = NewSocket(conn, l.add); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *listener) add(d *Datagram) {
	l.all = append(l.all, received{string(d.Data), d.Truncated, d.PID, d.UID, d.Waited, len(d.Files)})
}

// take returns what was received since the last call.
func (l *listener) take() []received {
	l.Drain()
	all := l.all
	l.all = nil
	return all
}

// send sends a datagram with copies of the descriptors.
func send(t *testing.T, path, data string, fds ...int) {
	t.Helper()
	if err := trySend(path, data, fds...); err != nil {
		t.Fatal(err)
	}
}

func trySend(path, data string, fds ...int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var control []byte
	if len(fds) > 0 {
		control = unix.UnixRights(fds...)
	}
	return unix.Sendmsg(fd, []byte(data), control, &unix.SockaddrUnix{Name: path}, 0)
}

// openFiles returns how many descriptors this process has open.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestReceive(t *testing.T) {
	l := newListener(t)
	before := openFiles(t)
	send(t, l.path, "READY=1")
	send(t, l.path, "")
	send(t, l.path, strings.Repeat("a", MaxMessage+1), 0)
	send(t, l.path, "STATUS=x", 0, 1, 2)
	got := l.take()
	if len(got) != 4 {
		t.Fatalf("got %d datagrams, want 4: %+v", len(got), got)
	}
	for i, want := range []received{
		{data: "READY=1"}, {}, {data: strings.Repeat("a", MaxMessage), truncated: true}, {data: "STATUS=x"},
	} {
		r := got[i]
		if r.pid != os.Getpid() || r.uid != uint32(os.Getuid()) || r.data != want.data || r.truncated != want.truncated || r.files != 0 {
			t.Errorf("datagram %d: got %+v, want %+v", i, r, want)
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("open descriptors: got %d, want %d as before", after, before)
	}
	if !l.Empty() {
		t.Error("the socket is not empty")
	}
}

// A sender cannot make this process open descriptors, or more than some if it receives
// them. None stays open.
func TestManyDescriptors(t *testing.T) {
	for _, want := range []int{0, maxDescriptors} {
		l := newListener(t)
		if want > 0 {
			l.ReceiveFiles()
		}
		before := openFiles(t)
		send(t, l.path, "READY=1", make([]int, 253)...)
		got := l.take()
		if len(got) != 1 || got[0].files != want || got[0].pid != os.Getpid() {
			t.Errorf("got %+v, want %d descriptors", got, want)
		}
		if after := openFiles(t); after != before {
			t.Errorf("open descriptors: got %d, want %d as before", after, before)
		}
	}
}

// The descriptor of a barrier is closed once the datagrams before it were handled.
func TestBarrier(t *testing.T) {
	l := newListener(t)
	send(t, l.path, "READY=1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	send(t, l.path, "BARRIER=1", int(w.Fd()))
	w.Close()
	closed := make(chan struct{})
	go func() { r.Read(make([]byte, 1)); close(closed) }()
	select {
	case <-closed:
		t.Error("the descriptor was closed before the datagrams were handled")
	case <-time.After(20 * time.Millisecond):
	}
	if got := l.take(); len(got) != 2 || got[1].data != "BARRIER=1" {
		t.Errorf("got %+v", got)
	}
	<-closed
}

// A datagram says how long it waited, but no longer than since the socket was empty.
func TestWaited(t *testing.T) {
	l := newListener(t)
	l.take()
	start := time.Now()
	send(t, l.path, "A=1")
	<-time.After(30 * time.Millisecond)
	send(t, l.path, "B=1")
	got := l.take()
	if len(got) != 2 || got[0].waited < 30*time.Millisecond || got[0].waited > time.Since(start) || got[1].waited >= got[0].waited {
		t.Errorf("got %+v, want the first to have waited for 30 ms", got)
	}
	send(t, l.path, "C=1")
	<-time.After(30 * time.Millisecond)
	empty := time.Now() // as if the time of day had been set meanwhile
	l.lastEmpty = empty
	if got := l.take(); got[0].waited > time.Since(empty) {
		t.Errorf("got %v, want at most the time since the socket was empty", got[0].waited)
	}
}

// A datagram never passes for newer than it is, even if the time of day is set while it
// waits.
func TestWaitedWhileTimeIsSet(t *testing.T) {
	const hour = time.Hour
	for _, test := range []struct {
		name                                         string
		byClock, sinceEmpty, byClockSinceEmpty, want time.Duration
	}{
		{"not set", time.Second, 2 * time.Second, 2 * time.Second, time.Second},
		{"set back while it waited", time.Second - hour, 2 * time.Second, 2*time.Second - hour, time.Second},
		{"set back before it was sent", time.Second, 2 * time.Second, 2*time.Second - hour, 2 * time.Second},
		{"set forward while it waited", time.Second + hour, 2 * time.Second, 2*time.Second + hour, 2 * time.Second},
		{"set forward before it was sent", time.Second, 2 * time.Second, 2*time.Second + hour, time.Second},
		{"sent after the last look", -time.Millisecond, 2 * time.Second, 2 * time.Second, 0},
	} {
		if got := waited(test.byClock, test.sinceEmpty, test.byClockSinceEmpty); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// Empty is true only once everything is handled that was sent before.
func TestEmpty(t *testing.T) {
	l := newListener(t)
	handling, finish := make(chan struct{}), make(chan struct{})
	l.handle = func(*Datagram) { handling <- struct{}{}; <-finish }
	ended := make(chan error)
	go func() { ended <- l.Run() }()
	for !l.Empty() {
		runtime.Gosched()
	}
	send(t, l.path, "A=1")
	<-handling
	if l.Empty() {
		t.Error("the socket is empty while a datagram is handled")
	}
	finish <- struct{}{}
	for deadline := time.Now().Add(30 * time.Second); !l.Empty(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the socket does not become empty")
		}
	}
	l.conn.Close()
	if err := <-ended; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if !l.Empty() {
		t.Error("a closed socket is not empty")
	}
}

// A flood keeps neither Drain nor the end of Run from returning.
func TestFloodDelaysNothing(t *testing.T) {
	l := newListener(t)
	var senders sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		senders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					trySend(l.path, "X=1", 0)
				}
			}
		})
	}
	var n atomic.Int64
	l.handle = func(*Datagram) { n.Add(1) }
	ended := make(chan error)
	go func() { ended <- l.Run() }()
	for n.Load() < 1000 {
		l.Drain()
	}
	l.conn.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(stop)
	senders.Wait()
}

// The socket of a path that does not exist any more refuses its senders.
func TestClosedSocketRefuses(t *testing.T) {
	l := newListener(t)
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: l.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l.conn.Close()
	if _, err := conn.Write([]byte("READY=1")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want ECONNREFUSED", err)
	}
}

// FuzzControl checks that no bytes crash the parser of control messages, and that it
// finds no descriptor twice.
func FuzzControl(f *testing.F) {
	f.Add(unix.UnixRights(3, 4))
	f.Add(append(unix.UnixCredentials(&unix.Ucred{Pid: 1, Uid: 2, Gid: 3}), unix.UnixRights(5)...))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 127, 1, 0, 0, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, control []byte) {
		if len(control) > controlSize+filesSize {
			return
		}
		aligned := make([]uint64, controlSize/8+1)
		b := unsafe.Slice((*byte)(unsafe.Pointer(&aligned[0])), len(control))
		copy(b, control)
		var files descriptors
		files.parse(b, new(Datagram))
		if files.n*4 > len(control) {
			t.Errorf("%d descriptors in %d bytes", files.n, len(control))
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	path := filepath.Join(b.TempDir(), "notify.sock")
	conn, err := Listen(path)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	s, err := NewSocket(conn, func(*Datagram) {})
	if err != nil {
		b.Fatal(err)
	}
	sender, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		b.Fatal(err)
	}
	defer sender.Close()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for range 8 {
			sender.Write([]byte("READY=1"))
		}
		b.StartTimer()
		s.Drain()
	}
}

// The loop of Run turns while no datagram comes, and not while it is busy with one.
func TestSocketTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify.sock")
	conn, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	received, resume := make(chan string), make(chan struct{})
	s, err := NewSocket(conn, func(d *Datagram) { received <- string(d.Data); <-resume })
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { s.Run() })
	turn := func() {
		t.Helper()
		for range 3 {
			if err := s.Turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	turn()
	for _, data := range []string{"one", "two"} {
		send(t, path, data)
		if got := <-received; got != data {
			t.Errorf("received %q, want %q", got, data)
		}
		hung, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := s.Turn(hung); err != context.DeadlineExceeded {
			t.Errorf("while it is busy: got %v, want %v", err, context.DeadlineExceeded)
		}
		cancel()
		resume <- struct{}{}
		turn()
	}
	conn.Close()
	running.Wait()
	if err := s.Turn(t.Context()); err == nil {
		t.Error("a closed socket turns")
	}
}
