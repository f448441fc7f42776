//go:build linux

package c_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// manager is a service manager's socket.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	seen map[string]bool // all that was received
}

// newManager listens at the address, and returns what to add to a program's environment.
func newManager(t *testing.T, address string, watchdog time.Duration) (m *manager, environment []string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &manager{t, conn, make(map[string]bool)}, []string{"NOTIFY_SOCKET=" + address, fmt.Sprint("WATCHDOG_USEC=", watchdog.Microseconds())}
}

// receive returns the lines of the next notification that arrives within the time, none if
// there is none.
func (m *manager) receive(within time.Duration) []string {
	m.t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(within))
	data := make([]byte, 4096)
	n, err := m.conn.Read(data)
	if err != nil && !os.IsTimeout(err) {
		m.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data[:n]), "\n"), "\n")
	if n == 0 {
		return nil
	}
	for _, line := range lines {
		m.seen[line] = true
	}
	return lines
}

// await waits for a line that begins with the text while the driver runs commands, again
// and again.
func (m *manager) await(want string, d *driver, commands ...string) {
	m.t.Helper()
	for end := time.Now().Add(testTimeout); ; {
		d.do(commands...)
		if slices.ContainsFunc(m.receive(time.Millisecond), func(line string) bool { return strings.HasPrefix(line, want) }) {
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("%q did not come within %v", want, testTimeout)
		}
	}
}

// The service manager learns that the program is ready once each landmark that counts was
// reached, and then that it works, from the program's own calls, without a landmarkd.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	for _, address := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@landmark-c-%d", os.Getpid())} {
		m, environment := newManager(t, address, 400*time.Millisecond)
		d := newDriver(t, "/nonexistent", environment...)
		d.do("declare\talive\ta\t60000", "declare\tcondition\tc", "declare\tdeadline\td\t100\t3", "declare\tlevel_above\tl\t1\t2", "start\tepg\t\tmanaged")
		m.await("STATUS=a has not been reached yet, declared ", d)
		m.await("STATUS=c has not been reached yet, declared ", d, "reach\ta")
		if m.seen["READY=1"] || m.seen["WATCHDOG=1"] {
			t.Errorf("got %v before the condition was set, want neither READY=1 nor WATCHDOG=1", m.seen)
		}
		m.await("READY=1", d, "condition\tc\t0\tit counts, even if it is not met")
		for range 3 {
			m.await("WATCHDOG=1", d, "reach\ta")
		}
		d.do("close")
		m.await("STOPPING=1", d)
	}
}

// While a critical landmark fails, other threads' calls do not feed the watchdog.
func TestWatchdogIsNotFedByOthers(t *testing.T) {
	t.Parallel()
	m, environment := newManager(t, filepath.Join(t.TempDir(), "notify"), 200*time.Millisecond)
	d := newDriver(t, "/nonexistent", environment...)
	d.do("declare\talive\ta\t1000", "declare\talive\tother\t100\t4", "start\tepg\t\tmanaged")
	m.await("WATCHDOG=1", d, "reach\ta", "reach\tother")
	m.await("STATUS=a last passed 1.", d, "reach\tother")
	for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); {
		d.do("reach\tother")
		if got := m.receive(time.Millisecond); slices.Contains(got, "WATCHDOG=1") {
			t.Fatalf("while it fails: got %q, want no WATCHDOG=1", got)
		}
	}
	m.await("WATCHDOG=1", d, "reach\ta", "reach\tother")
	for _, tt := range []struct{ fail, heal, status string }{
		{"condition\tc\t0\tbroken", "condition\tc\t1\t", "c does not hold: broken"},
		{"level\tl\t2.5", "level\tl\t0", "l is 2.5, fails at 2"},
		{"begin\td\t0", "end\t0", "d began "},
	} {
		d.do("close")
		m.await("STOPPING=1", d)
		d = newDriver(t, "/nonexistent", environment...)
		d.do("declare\talive\ta\t60000", "declare\tcondition\tc\t1", "declare\tlevel_above\tl\t1\t2\t1", "declare\tdeadline\td\t100", "start\tepg\t\tmanaged")
		d.do("condition\tc\t1\t", "level\tl\t0", tt.fail)
		m.await("STATUS="+tt.status, d, "reach\ta")
		clear(m.seen)
		m.await("STATUS="+tt.status, d, "reach\ta") // again, after a second
		if m.seen["WATCHDOG=1"] {
			t.Errorf("%s: got WATCHDOG=1", tt.status)
		}
		d.do(tt.heal)
		m.await("WATCHDOG=1", d, "reach\ta")
	}
}

// The watchdog of another process is not fed, and no service manager is notified that the
// configuration does not ask for.
func TestWatchdogOfAnotherProcess(t *testing.T) {
	t.Parallel()
	m, environment := newManager(t, filepath.Join(t.TempDir(), "notify"), 100*time.Millisecond)
	d := newDriver(t, "/nonexistent", append(environment, "WATCHDOG_PID=1")...)
	d.do("declare\talive\ta\t60000", "start\tepg\t\tmanaged")
	m.await("READY=1", d, "reach\ta")
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
		d.do("reach\ta")
		if got := m.receive(time.Millisecond); slices.Contains(got, "WATCHDOG=1") {
			t.Fatalf("with another WATCHDOG_PID: got %q, want no WATCHDOG=1", got)
		}
	}
	d = newDriver(t, "/nonexistent", environment...)
	d.do("declare\talive\ta\t100", "start\tepg", "reach\ta", "close")
	if got := m.receive(10 * time.Millisecond); got != nil {
		t.Errorf("without service_manager: got %q, want nothing", got)
	}
}

// Only an Alive or a Loop that is critical proves that the program is alive. The others are
// healthy while it does nothing.
func TestNoWatchdogWithoutProof(t *testing.T) {
	t.Parallel()
	m, environment := newManager(t, filepath.Join(t.TempDir(), "notify"), 100*time.Millisecond)
	d := newDriver(t, "/nonexistent", environment...)
	d.do("declare\talive\ta\t60000\t2", "declare\tcondition\tc\t1", "start\tepg\t\tmanaged", "condition\tc\t1\t")
	m.await("STATUS=nothing proves that the program is alive", d, "reach\ta")
	m.await("STATUS=nothing proves that the program is alive", d, "reach\ta")
	if m.seen["WATCHDOG=1"] || !m.seen["READY=1"] {
		t.Errorf("got %v, want READY=1 and no WATCHDOG=1", m.seen)
	}
}
