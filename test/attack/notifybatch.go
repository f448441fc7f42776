package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// notifyBatchSize is how many datagrams a notifyBatch has.
const notifyBatchSize = 32

// notifyBatch sends datagrams to a Unix socket, many with one call of sendmmsg(2).
type notifyBatch struct {
	fd       int
	address  unix.RawSockaddrUnix
	data     [notifyBatchSize][]byte
	iovs     [notifyBatchSize]unix.Iovec
	messages [notifyBatchSize]mmsghdr
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

func newNotifyBatch(path string) (*notifyBatch, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	b := &notifyBatch{fd: fd, address: unix.RawSockaddrUnix{Family: unix.AF_UNIX}}
	for i := range []byte(path) {
		b.address.Path[i] = int8(path[i])
	}
	return b, err
}

func (b *notifyBatch) close() { unix.Close(b.fd) }

// set sets a datagram of the batch, and its control messages.
func (b *notifyBatch) set(i int, data string, control []byte) {
	b.data[i] = append(b.data[i][:0], data...)
	b.iovs[i] = unix.Iovec{Base: unsafe.SliceData(b.data[i])}
	b.iovs[i].SetLen(len(data))
	h := &b.messages[i].header
	*h = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&b.address)), Namelen: uint32(unsafe.Sizeof(b.address)), Iov: &b.iovs[i]}
	h.SetIovlen(1)
	if len(control) > 0 {
		h.Control = &control[0]
		h.SetControllen(len(control))
	}
}

// send sends the batch, except for datagrams that the kernel refuses. It returns how many
// were sent.
func (b *notifyBatch) send() (sent int) {
	for next := 0; next < notifyBatchSize; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(&b.messages[next])), uintptr(notifyBatchSize-next), 0, 0, 0)
		if errno != 0 {
			next++
			continue
		}
		sent, next = sent+int(n), next+int(n)
	}
	return sent
}
