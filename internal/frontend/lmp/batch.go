package lmp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchSize is how many datagrams one system call reads, or sends, at most. With
	// 16 an answer of a busy server costs 4 % more time, with 64 it costs 2 % less.
	batchSize = 32
	// maxDatagram is the size in bytes of the memory for a datagram. None is longer.
	maxDatagram = 1 << 16
	// maxControl is the size in bytes of the memory for the control messages of a
	// datagram: IP_PKTINFO and IPV6_PKTINFO together have less.
	maxControl = 128
	// floodAfter is after how many full batches in a row there is a flood.
	floodAfter = 16
)

// batch is the datagrams that one recvmmsg(2) has received, and their answers, for one
// sendmmsg(2). A system call and a wake-up for each datagram would cost several times as
// much as the answer. All memory that the kernel reads and writes is allocated once.
// A batch is for one goroutine.
type batch struct {
	requests [batchSize]message
	answers  [batchSize]message
	records  [batchSize]record // of the answers
	slots    [batchSize]slot
	// data has maxDatagram bytes for each request. It is a mapping of its own, to which
	// the kernel adds memory where it writes: a page for each request of a usual length.
	data       []byte
	out        []byte // the answers
	received   int    // how many requests there are
	answered   int    // how many answers there are
	fullInARow int    // how many full batches there were before this one
}

// message is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type message struct {
	header unix.Msghdr
	length uint32 // of what was received or sent
}

// slot is what the message of a request, and that of its answer, point to.
type slot struct {
	control [maxControl]byte               // of the request, then of its answer; first, because the kernel aligns it
	client  [unix.SizeofSockaddrInet6]byte // its struct sockaddr_in or sockaddr_in6
	request unix.Iovec
	answer  unix.Iovec
}

// newBatch returns a batch without requests. The caller calls free at the end.
func newBatch() (*batch, error) {
	data, err := unix.Mmap(-1, 0, batchSize*maxDatagram, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	// No page of 2 MiB for some short requests. A kernel without such pages refuses.
	_ = unix.Madvise(data, unix.MADV_NOHUGEPAGE)
	b := &batch{data: data}
	for i := range b.slots {
		s := &b.slots[i]
		s.request.Base = &data[i*maxDatagram]
		s.request.SetLen(maxDatagram)
		b.requests[i].header = unix.Msghdr{Name: &s.client[0], Iov: &s.request, Control: &s.control[0]}
		b.requests[i].header.SetIovlen(1)
		b.prepare(i)
	}
	return b, nil
}

// free returns the memory of the requests.
func (b *batch) free() { _ = unix.Munmap(b.data) }

// prepare sets what the kernel overwrites when it receives request i.
func (b *batch) prepare(i int) {
	h := &b.requests[i].header
	h.Namelen = unix.SizeofSockaddrInet6
	h.SetControllen(maxControl)
}

// receive replaces the requests by those that have arrived. It does not wait: it returns
// unix.EAGAIN if there are none.
func (b *batch) receive(fd uintptr) error {
	if b.fullInARow++; !b.full() {
		b.fullInARow = 0
	}
	for i := range b.received {
		b.prepare(i)
	}
	b.received, b.answered, b.out = 0, 0, b.out[:0]
	n, err := transfer(unix.SYS_RECVMMSG, fd, b.requests[:], b.fullInARow >= floodAfter)
	b.received = n
	return err
}

// full reports whether there were as many requests as a batch holds.
func (b *batch) full() bool { return b.received == batchSize }

// datagram returns request i, which is valid until the next call of receive. It was
// received from fd.
func (b *batch) datagram(i int, fd uintptr) datagram {
	m, s := &b.requests[i], &b.slots[i]
	start := i * maxDatagram
	return datagram{
		data:        b.data[start : start+int(m.length)],
		client:      s.client[:m.header.Namelen],
		from:        parseClient(s.client[:m.header.Namelen], fd),
		destination: parseDestination(s.control[:m.header.Controllen]),
	}
}

// answer adds the answer to request i, which is d, and its record. The slice out is b.out
// with the answer appended. Answers that are in the memory of a shorter b.out stay there.
func (b *batch) answer(i int, d datagram, out []byte, r record) {
	answer, s := out[len(b.out):], &b.slots[i]
	b.out = out
	s.answer.Base = &answer[0]
	s.answer.SetLen(len(answer))
	b.records[b.answered] = r
	m := &b.answers[b.answered]
	b.answered++
	*m = message{header: unix.Msghdr{Name: &s.client[0], Namelen: b.requests[i].header.Namelen, Iov: &s.answer, Control: &s.control[0]}}
	m.header.SetIovlen(1)
	m.header.SetControllen(len(d.destination.append(s.control[:0])))
}

// send sends the answers, and returns how many were sent, and how many not because the
// socket has no room for them. It does not wait for room: answers to a neighbor that does
// not say its link-layer address hold theirs for seconds, and the others would be late. An
// answer that cannot be sent is like one that is lost, and keeps no other from being sent.
func (b *batch) send(fd uintptr) (sent, noRoom int) {
	for i := 0; i < b.answered; {
		n, err := transfer(unix.SYS_SENDMMSG, fd, b.answers[i:b.answered], false)
		switch err {
		case nil:
			i += n
			sent += n
		case unix.EAGAIN:
			return sent, b.answered - i
		default: // the first of them cannot be sent
			i++
		}
	}
	return sent, 0
}

// sent reports whether answer i was sent. No answer is empty.
func (b *batch) sent(i int) bool { return b.answers[i].length > 0 }

// sendAlone sends one answer from the given address of the host to a client, a struct
// sockaddr_in or sockaddr_in6. Like send it does not wait for room: it returns
// unix.EAGAIN.
func sendAlone(fd uintptr, answer, client []byte, from destination) error {
	control := from.append(make([]byte, 0, maxControl))
	data := unix.Iovec{Base: &answer[0]}
	data.SetLen(len(answer))
	h := unix.Msghdr{Name: &client[0], Namelen: uint32(len(client)), Iov: &data}
	h.SetIovlen(1)
	if len(control) > 0 {
		h.Control = &control[0]
		h.SetControllen(len(control))
	}
	_, err := transfer(unix.SYS_SENDMMSG, fd, []message{{header: h}}, false)
	return err
}

// checkTransfers checks that the system calls of a batch are allowed on the socket fd. A
// sandbox may allow only those of single datagrams.
func checkTransfers(fd uintptr) error {
	none := make([]message, 1)[:0]
	for _, call := range []struct {
		number uintptr
		name   string
	}{{unix.SYS_RECVMMSG, "recvmmsg"}, {unix.SYS_SENDMMSG, "sendmmsg"}} {
		if _, err := transfer(call.number, fd, none, false); err == unix.ENOSYS || err == unix.EPERM || err == unix.EACCES {
			return fmt.Errorf("the system call %s is not allowed: %w; allow it where landmarkd's system calls are restricted, such as in SystemCallFilter", call.name, err)
		}
	}
	return nil
}

// transfer calls recvmmsg or sendmmsg, and returns how many of the messages were received
// or sent. The slice must have room for one message, even if it is empty.
//
// The system call does not wait, so Go's scheduler need not know of it. To tell the
// scheduler wakes the runtime's monitor, which costs more than the answer if it happens
// for each. But in a flood the monitor must be awake, because it lets other goroutines run.
func transfer(number, fd uintptr, messages []message, flood bool) (n int, err error) {
	first, count := unsafe.SliceData(messages), uintptr(len(messages))
	for {
		var done uintptr
		var errno unix.Errno
		if flood {
			done, _, errno = unix.Syscall6(number, fd, uintptr(unsafe.Pointer(first)), count, unix.MSG_DONTWAIT, 0, 0)
		} else {
			done, _, errno = unix.RawSyscall6(number, fd, uintptr(unsafe.Pointer(first)), count, unix.MSG_DONTWAIT, 0, 0)
		}
		switch errno {
		case 0:
			return int(done), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// parseClient parses the address of a client, a struct sockaddr_in or sockaddr_in6, that
// sent a datagram to the socket fd.
func parseClient(b []byte, fd uintptr) netip.AddrPort {
	if len(b) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}
	}
	port := binary.BigEndian.Uint16(b[2:])
	if binary.NativeEndian.Uint16(b) == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), port)
	}
	if len(b) < unix.SizeofSockaddrInet6 {
		return netip.AddrPort{}
	}
	address := netip.AddrFrom16([16]byte(b[8:]))
	if scope := binary.NativeEndian.Uint32(b[24:]); scope != 0 {
		address = address.WithZone(deviceName(scope, fd))
	}
	return netip.AddrPortFrom(address, port)
}

// deviceName returns the name of a device of the socket's network, or its number if it
// has gone.
func deviceName(number uint32, fd uintptr) string {
	request, err := unix.NewIfreq("")
	if err == nil {
		request.SetUint32(number)
		err = unix.IoctlIfreq(int(fd), unix.SIOCGIFNAME, request)
	}
	if err != nil {
		return strconv.FormatUint(uint64(number), 10)
	}
	return request.Name()
}
