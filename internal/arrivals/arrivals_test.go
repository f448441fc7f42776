package arrivals

import (
	"errors"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTimeout is how long a test waits for what must happen.
const testTimeout = time.Minute

// mailbox is a socket with its arrivals, and one that sends to it.
type mailbox struct {
	*Arrivals
	t           *testing.T
	socket, far int
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	a.SetDeadline(time.Now().Add(testTimeout))
	return &mailbox{a, t, fds[0], fds[1]}
}

func (m *mailbox) send(text string) {
	m.t.Helper()
	if _, err := unix.Write(m.far, []byte(text)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mailbox) receive(want string) {
	m.t.Helper()
	b := make([]byte, 64)
	n, err := unix.Read(m.socket, b)
	if err != nil || string(b[:n]) != want {
		m.t.Errorf("received %q, %v; want %q", b[:max(0, n)], err, want)
	}
}

// forKernels runs the test with a kernel whose epoll repeats what it says, and with one whose
// epoll may not.
func forKernels(t *testing.T, test func(t *testing.T, m *mailbox)) {
	for name, repeats := range map[string]bool{"repeats": true, "does not repeat": false} {
		t.Run(name, func(t *testing.T) {
			m := newMailbox(t)
			m.repeats = repeats
			test(t, m)
		})
	}
}

// each waits, and calls handlers in turn. The last one is enough.
func (m *mailbox) each(handlers ...func()) error {
	calls := 0
	return m.Wait(func() bool {
		handlers[calls]()
		calls++
		return calls == len(handlers)
	})
}

// wantWait waits, calls handlers in turn, and asserts that the last of them is followed by a wait
// that nothing ends.
func (m *mailbox) wantWait(handlers ...func()) {
	m.t.Helper()
	waits, calls := false, 0
	err := m.Wait(func() bool {
		if calls == len(handlers) {
			waits = false
			return true
		}
		handlers[calls]()
		calls++
		if waits = calls == len(handlers); waits {
			m.SetDeadline(time.Now().Add(50 * time.Millisecond))
		}
		return false
	})
	if !waits || !errors.Is(err, os.ErrDeadlineExceeded) {
		m.t.Errorf("after %d calls of %d the wait ended with %v, want %v", calls, len(handlers), err, os.ErrDeadlineExceeded)
	}
	m.SetDeadline(time.Now().Add(testTimeout))
}

func (m *mailbox) ignore(want bool) {
	m.t.Helper()
	if got := m.Ignore(); got != want {
		m.t.Errorf("Ignore returned %t, want %t", got, want)
	}
}

func TestArrivalEndsWait(t *testing.T) { forKernels(t, testArrivalEndsWait) }

func testArrivalEndsWait(t *testing.T, m *mailbox) {
	for range 3 {
		if err := m.each(
			func() { m.send("a") },
			func() { m.receive("a") },
		); err != nil {
			t.Fatal(err)
		}
	}
	m.wantWait(func() {})
}

// What arrives after the last call, and before arrivals are noticed again, is found by
// another call. No other arrival is needed for that: the kernel does not say that the first
// one is there if it has said so of one before.
func TestIgnoredArrivalIsFound(t *testing.T) { forKernels(t, testIgnoredArrivalIsFound) }

func testIgnoredArrivalIsFound(t *testing.T, m *mailbox) {
	for range 3 {
		if err := m.each(
			func() { m.send("before") },
			func() {
				m.receive("before")
				m.ignore(true)
				m.ignore(true)
				m.send("ignored")
			},
			func() { m.receive("ignored") },
		); err != nil {
			t.Fatalf("the arrival was lost: %v", err)
		}
	}
}

// What arrives while it is ignored ends no wait of Go's poller, and a call that returns true
// changes nothing.
func TestIgnoredArrivalWakesNobody(t *testing.T) {
	m := newMailbox(t)
	if err := m.each(func() { m.ignore(true) }); err != nil {
		t.Fatal(err)
	}
	m.SetDeadline(time.Now().Add(50 * time.Millisecond))
	calls := 0
	if err := m.raw.Read(func(uintptr) bool {
		if calls++; calls == 1 {
			m.send("ignored")
		}
		return false
	}); !errors.Is(err, os.ErrDeadlineExceeded) || calls != 1 {
		t.Errorf("handle was called %d times until %v, want once until %v", calls, err, os.ErrDeadlineExceeded)
	}
	m.SetDeadline(time.Now().Add(testTimeout))
	if err := m.each(
		func() { m.receive("ignored") },
		func() { m.send("noticed") },
		func() { m.receive("noticed") },
	); err != nil {
		t.Fatal(err)
	}
}

// In the call after arrivals were ignored, they are not ignored again, so that it comes to a
// wait. What arrives in it ends the wait, and then they can be ignored again.
func TestLookAfterIgnoringIgnoresNothing(t *testing.T) {
	forKernels(t, testLookAfterIgnoringIgnoresNothing)
}

func testLookAfterIgnoringIgnoresNothing(t *testing.T, m *mailbox) {
	m.wantWait(func() { m.ignore(true) }, func() { m.ignore(false) })
	if err := m.each(
		func() { m.ignore(true) },
		func() { m.ignore(false); m.send("noticed") },
		func() { m.receive("noticed"); m.ignore(true) },
		func() {},
	); err != nil {
		t.Fatal(err)
	}
}

func TestCloseEndsWait(t *testing.T) {
	m := newMailbox(t)
	if err := m.Wait(func() bool {
		go m.Close()
		return false
	}); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want an error of the closed descriptor", err)
	}
}

// A descriptor that nothing can arrive at is an error.
func TestNewNeedsPollableDescriptor(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := New(int(file.Fd())); !errors.Is(err, unix.EPERM) {
		t.Errorf("a file: got %v, want %v", err, unix.EPERM)
	}
}

// What a call leaves where nothing was ignored is found again, if the kernel does not repeat
// what it says.
func TestArrivalThatIsLeftIsFound(t *testing.T) {
	m := newMailbox(t)
	m.repeats = false
	m.send("left")
	if err := m.each(func() {}, func() { m.receive("left") }); err != nil {
		t.Fatal(err)
	}
}

// After arrivals were ignored it comes to a wait, also if something is left. The wait ends at
// once.
func TestArrivalThatIsLeftEndsWait(t *testing.T) {
	forKernels(t, func(t *testing.T, m *mailbox) {
		if err := m.each(
			func() { m.ignore(true) },
			func() { m.ignore(false); m.send("left") },
			func() { m.receive("left") },
		); err != nil {
			t.Fatal(err)
		}
	})
}
