package nonblock

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A connection is announced, accepted, and closed, without waiting for it.
func TestSocketsAreAcceptedWithoutWaiting(t *testing.T) {
	socket := func(flags int) int {
		t.Helper()
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, 0)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	listener := socket(unix.SOCK_NONBLOCK)
	defer unix.Close(listener)
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epoll)
	events := make([]unix.EpollEvent, 2)
	wantEvents := func(want int) {
		t.Helper()
		if n, err := PollEpoll(epoll, events); n != want || err != nil {
			t.Fatalf("got %d events, %v; want %d", n, err, want)
		}
	}
	var peer unix.RawSockaddrAny
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 1); err != nil {
		t.Fatal(err)
	}
	if err := AddToEpoll(epoll, listener, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: 7}); err != nil {
		t.Fatal(err)
	}
	if _, err := Accept(listener, &peer); err != unix.EAGAIN {
		t.Errorf("without a connection: got %v, want %v", err, unix.EAGAIN)
	}
	wantEvents(0)

	address, err := unix.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	client := socket(0)
	defer unix.Close(client)
	if err := unix.Connect(client, address); err != nil {
		t.Fatal(err)
	}
	wantEvents(1)
	if events[0].Fd != 7 || events[0].Events != unix.EPOLLIN {
		t.Errorf("got event %+v", events[0])
	}
	conn, err := Accept(listener, &peer)
	if err != nil {
		t.Fatal(err)
	}
	if from := (*unix.RawSockaddrInet4)(unsafe.Pointer(&peer)); from.Family != unix.AF_INET || from.Addr != [4]byte{127, 0, 0, 1} {
		t.Errorf("the peer is %+v", from)
	}
	buffer := make([]byte, 1)
	if _, err := Read(conn, buffer); err != unix.EAGAIN {
		t.Errorf("the new socket waits: got %v, want %v", err, unix.EAGAIN)
	}
	if flags, err := unix.FcntlInt(uintptr(conn), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 || err != nil {
		t.Errorf("a child would inherit the new socket: %v, %v", flags, err)
	}
	if err := AddToEpoll(epoll, listener, &unix.EpollEvent{}); err != unix.EEXIST {
		t.Errorf("adding a socket again: got %v, want %v", err, unix.EEXIST)
	}
	if err := ChangeInEpoll(epoll, conn, &unix.EpollEvent{}); err != unix.ENOENT {
		t.Errorf("changing a socket that is not there: got %v, want %v", err, unix.ENOENT)
	}
	if err := ChangeInEpoll(epoll, listener, &unix.EpollEvent{Events: unix.EPOLLOUT}); err != nil {
		t.Error(err)
	}
	if err := Close(conn); err != nil {
		t.Fatal(err)
	}
	if err := Close(conn); err != unix.EBADF {
		t.Errorf("closing it again: got %v, want %v", err, unix.EBADF)
	}
	if n, err := unix.Read(client, buffer); n != 0 || err != nil {
		t.Errorf("the client got %d bytes, %v; want the end", n, err)
	}
}
