// Package load makes the load of the measurements: requests and watches, as fast as a
// server answers or at a fixed rate. It judges nothing, and knows neither landmarkd nor
// what it is compared with.
//
// The load over TCP comes from test/bench/reference/tcp.c.
package load

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// burst is how many requests the kernel gets with one system call, and window how
	// many may wait for their answers. The window fits in a socket's default buffer, so
	// that no request is lost.
	burst  = 48
	window = 4 * burst
	// answerTimeout is how long an answer may take until it counts as lost.
	answerTimeout = time.Second
)

// Patience is how much longer than it should a load may take until it has an answer. Until
// then, the host may just be starved.
const Patience = 10 * time.Second

// errUnanswered means that there was no answer, however long the load waited.
var errUnanswered = errors.New("no request was answered")

// UDP sends one request again and again to a server over UDP. It is for one goroutine.
type UDP struct {
	file     *os.File // keeps the descriptor
	fd       int
	request  []byte
	patience time.Duration
	batch    []byte // burst requests, which the kernel cuts into datagrams
	answers  [64]struct {
		header unix.Msghdr
		length uint32
		_      [4]byte
	}
	vectors [64]unix.Iovec
	space   [64][128]byte
}

// DialUDP connects a socket to the server, from an address of the loopback network, or
// from any if it is invalid.
func DialUDP(server string, from netip.Addr, request []byte) (*UDP, error) {
	to, err := netip.ParseAddrPort(server)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	u := &UDP{file: os.NewFile(uintptr(fd), "udp"), fd: fd, request: request, patience: Patience}
	if from.IsValid() {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()})
	}
	timeout := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	err = errors.Join(err,
		unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout))
	if err != nil {
		u.Close()
		return nil, fmt.Errorf("connecting to %s: %w", server, err)
	}
	for range burst {
		u.batch = append(u.batch, request...)
	}
	for i := range u.answers {
		u.vectors[i] = unix.Iovec{Base: &u.space[i][0], Len: uint64(len(u.space[i]))}
		u.answers[i].header.Iov = &u.vectors[i]
		u.answers[i].header.SetIovlen(1)
	}
	return u, nil
}

// Close closes the socket.
func (u *UDP) Close() { u.file.Close() }

// cut makes the kernel cut what is sent into datagrams of the request's length (udp(7),
// UDP_SEGMENT). So a burst costs the sender one walk through the kernel, and the server
// as much as if each request came alone.
func (u *UDP) cut() error {
	return unix.SetsockoptInt(u.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, len(u.request))
}

// Saturate keeps a window of requests on their way for the time, or until one is answered.
// It returns how many were answered, and in what time.
func (u *UDP) Saturate(d time.Duration) (answered int, took time.Duration, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := u.cut(); err != nil {
		return 0, 0, err
	}
	began, open := time.Now(), 0
	for {
		for ; open <= window-burst; open += burst {
			if _, err := unix.Write(u.fd, u.batch); err != nil {
				return 0, 0, fmt.Errorf("sending requests: %w", err)
			}
		}
		n, err := u.receive()
		if err == unix.EAGAIN {
			open = 0 // they are lost
		} else if err != nil {
			return 0, 0, err
		}
		answered += n
		open = max(0, open-n)
		took = time.Since(began)
		switch {
		case answered > 0 && took >= d:
			return answered, took, u.drain(open)
		case answered == 0 && took >= d+u.patience:
			return 0, took, errUnanswered
		}
	}
}

// receive returns how many answers it received, at least one.
func (u *UDP) receive() (int, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&u.answers)), uintptr(len(u.answers)), unix.MSG_WAITFORONE, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, unix.EAGAIN
		default:
			return 0, fmt.Errorf("receiving answers: %w", errno)
		}
	}
}

// drain receives what is still on its way.
func (u *UDP) drain(open int) error {
	for open > 0 {
		n, err := u.receive()
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return err
		}
		open -= n
	}
	return nil
}

// Pace sends so many requests a second for the time, or until one is answered, each alone.
// It returns how long each answer took, and how many were lost.
func (u *UDP) Pace(rate int, d time.Duration) (took []time.Duration, lost int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	interval := time.Second / time.Duration(rate)
	for began, due := time.Now(), time.Duration(0); due < d || len(took) == 0; due += interval {
		if len(took) == 0 && time.Since(began) >= d+u.patience {
			return nil, lost, errUnanswered
		}
		if wait := due - time.Since(began); wait > 0 {
			t := unix.NsecToTimespec(wait.Nanoseconds())
			unix.Nanosleep(&t, nil)
		}
		sent := time.Now()
		if _, err := unix.Write(u.fd, u.request); err != nil {
			return nil, 0, fmt.Errorf("sending a request: %w", err)
		}
		if _, err := u.receive(); err == unix.EAGAIN {
			lost++
			continue
		} else if err != nil {
			return nil, 0, err
		}
		took = append(took, time.Since(sent))
	}
	return took, lost, nil
}

// Flood sends requests for the time, at most so many a second, and reads no answer. It
// returns how many it sent.
func (u *UDP) Flood(rate float64, d time.Duration) (sent int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := u.cut(); err != nil {
		return 0, err
	}
	for began := time.Now(); ; {
		elapsed := time.Since(began)
		if elapsed >= d {
			return sent, nil
		}
		if float64(sent) > rate*elapsed.Seconds() {
			unix.Nanosleep(&unix.Timespec{Nsec: 20_000}, nil)
			continue
		}
		if _, err := unix.Write(u.fd, u.batch); err != nil && err != unix.ENOBUFS {
			return sent, fmt.Errorf("sending requests: %w", err)
		}
		sent += burst
	}
}
