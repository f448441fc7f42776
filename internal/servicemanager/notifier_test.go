package servicemanager

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// listen returns a socket that receives notifications, and its address as
// $NOTIFY_SOCKET names it.
func listen(t *testing.T, address string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", address)
	return conn
}

// receive returns the next notification.
func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	message := make([]byte, 8192)
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, err := conn.Read(message)
	if err != nil {
		t.Fatal(err)
	}
	return string(message[:n])
}

func fromEnvironment(t *testing.T) *Notifier {
	t.Helper()
	n, err := FromEnvironment()
	if n == nil || err != nil {
		t.Fatalf("got %v, %v, want a notifier", n, err)
	}
	return n
}

func TestSend(t *testing.T) {
	abstract := "@landmark-servicemanager-" + strconv.Itoa(os.Getpid())
	for _, address := range []string{filepath.Join(t.TempDir(), "notify"), abstract} {
		conn := listen(t, address)
		n := fromEnvironment(t)
		for _, send := range []func(...string) error{n.Send, n.TrySend} {
			if err := send(Ready, Status("serving")); err != nil {
				t.Fatal(err)
			}
			if got, want := receive(t, conn), "READY=1\nSTATUS=serving"; got != want {
				t.Errorf("%s: got %q, want %q", address, got, want)
			}
		}
	}
}

// The service manager may bind its socket again.
func TestSendFindsTheSocketThatReplacedAnother(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	first := listen(t, address)
	n := fromEnvironment(t)
	if err := n.Send(Ready); err != nil {
		t.Fatal(err)
	}
	first.Close()
	if err := os.Remove(address); err != nil {
		t.Fatal(err)
	}
	if err := n.Send(Watchdog); err == nil {
		t.Error("without a socket: got no error")
	}
	second := listen(t, address)
	if err := n.Send(Watchdog); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, second); got != Watchdog {
		t.Errorf("got %q, want %q", got, Watchdog)
	}
}

// A service manager that does not read makes neither of them wait forever.
func TestSendGivesUp(t *testing.T) {
	conn := listen(t, filepath.Join(t.TempDir(), "notify"))
	n := fromEnvironment(t)
	sent := 0
	for ; n.TrySend(Watchdog) == nil; sent++ {
	}
	if err := n.Send(Watchdog); err == nil {
		t.Error("got no error from Send with a full queue")
	}
	for range sent {
		receive(t, conn)
	}
	if err := n.TrySend(Watchdog); err != nil {
		t.Errorf("after the queue was read: %v", err)
	}
}

func TestWithoutServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n, err := FromEnvironment()
	if n != nil || err != nil {
		t.Fatalf("got %v, %v, want nil", n, err)
	}
	if err := n.Send(Ready); err != nil {
		t.Error(err)
	}
}

func TestFromEnvironmentRejectsAddress(t *testing.T) {
	for _, address := range []string{"notify", "/", "@", "vsock:2:1234"} {
		t.Setenv("NOTIFY_SOCKET", address)
		if n, err := FromEnvironment(); n != nil || err == nil || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: got %v, %v, want an error that names it", address, n, err)
		}
	}
}

func TestStatusIsOneShortLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "STATUS=",
		"main loop last answered":        "STATUS=main loop last answered",
		"a\nREADY=1\x00":                 "STATUS=a READY=1 ",
		"\xff":                           "STATUS=?",
		strings.Repeat("x", maxStatus+1): "STATUS=" + strings.Repeat("x", maxStatus),
	} {
		if got := Status(text); got != want {
			t.Errorf("%.40q: got %.60q, want %.60q", text, got, want)
		}
	}
	if got := Status(strings.Repeat("é", maxStatus)); len(got) > len("STATUS=")+maxStatus {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestReloading(t *testing.T) {
	if got, want := Reloading(1234567), []string{"RELOADING=1", "MONOTONIC_USEC=1234567"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWatchdogTimeout(t *testing.T) {
	own, other := strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getppid())
	for _, tt := range []struct {
		usec, pid string
		want      time.Duration
		wrong     bool
	}{
		{"", "", 0, false},
		{"", own, 0, false},
		{"3000000", "", 3 * time.Second, false},
		{"3000000", own, 3 * time.Second, false},
		{"3000000", other, 0, false},
		{"9223372036854775", own, 9223372036854775 * time.Microsecond, false},
		{"9223372036854776", own, 0, true},
		{"0", own, 0, true},
		{"-1", own, 0, true},
		{"3s", own, 0, true},
	} {
		t.Setenv("WATCHDOG_USEC", tt.usec)
		t.Setenv("WATCHDOG_PID", tt.pid)
		got, err := WatchdogTimeout()
		if got != tt.want || (err != nil) != tt.wrong {
			t.Errorf("%q for %q: got %v, %v, want %v", tt.usec, tt.pid, got, err, tt.want)
		}
	}
}

// A notification of another process is sent as it is, with its descriptors.
func TestRelay(t *testing.T) {
	conn := listen(t, filepath.Join(t.TempDir(), "notify"))
	n := fromEnvironment(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := n.Relay(t.Context(), []byte("BARRIER=1\n"), []int{int(w.Fd())}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	data, control := make([]byte, 100), make([]byte, 100)
	size, controlSize, _, _, err := conn.ReadMsgUnix(data, control)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := syscall.ParseSocketControlMessage(control[:controlSize])
	if string(data[:size]) != "BARRIER=1\n" || err != nil || len(messages) != 1 {
		t.Fatalf("got %q with %d control messages, %v", data[:size], len(messages), err)
	}
	descriptors, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(descriptors) != 1 {
		t.Fatalf("got the descriptors %v, %v", descriptors, err)
	}
	syscall.Close(descriptors[0])
	if _, err := io.ReadAll(r); err != nil { // ends because no copy of w is left
		t.Fatal(err)
	}

	// A service manager that does not read is waited for until ctx is done.
	ctx, cancel := context.WithCancel(t.Context())
	full := make(chan error)
	go func() {
		for {
			if err := n.Relay(ctx, []byte("WATCHDOG=1"), nil); err != nil {
				full <- err
				return
			}
		}
	}()
	cancel()
	if err := <-full; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want that the time is over", err)
	}
	if err := (*Notifier)(nil).Relay(ctx, []byte("READY=1"), nil); err != nil {
		t.Errorf("without a service manager: %v", err)
	}
}
