package nonblock

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestCallsReturnAtOnce(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := fds[0], fds[1]
	defer unix.Close(a)
	check := func(what string, got, want int, err, wantErr error) {
		t.Helper()
		if got != want || err != wantErr {
			t.Errorf("%s: got %d, %v; want %d, %v", what, got, err, want, wantErr)
		}
	}
	ready := func(events int16) int {
		t.Helper()
		n, err := Ready([]unix.PollFd{{Fd: int32(a), Events: events}})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	buffer := make([]byte, 8)
	n, err := Read(a, buffer)
	check("reading an empty socket", n, 0, err, unix.EAGAIN)
	check("its readiness", ready(unix.POLLIN), 0, nil, nil)
	n, err = Write(b, []byte("abc"))
	check("writing", n, 3, err, nil)
	n, err = Unsent(b)
	check("unsent", min(n, 1), 1, err, nil) // in the kernel's units, not in bytes
	n, err = Unread(a)
	check("unread", n, 3, err, nil)
	check("readiness", ready(unix.POLLIN), 1, nil, nil)
	n, err = Read(a, buffer)
	check("reading", n, 3, err, nil)
	if string(buffer[:3]) != "abc" {
		t.Errorf("read %q", buffer[:3])
	}
	n, err = Unsent(b)
	check("unsent, when read", n, 0, err, nil)
	n, err = Read(a, nil)
	check("reading into nothing", n, 0, err, nil)
	unix.Close(b)
	check("readiness after the end", ready(0), 1, nil, nil) // POLLHUP
	n, err = Read(a, buffer)
	check("reading after the end", n, 0, err, nil)
	_, err = Write(a, buffer)
	check("writing after the end", 0, 0, err, unix.EPIPE)
	_, err = Unread(-1)
	check("no socket", 0, 0, err, unix.EBADF)
}
