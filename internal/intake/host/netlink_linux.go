package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/sys/unix"
)

const (
	// answerTimeout is how long the kernel may take for a part of an answer, in
	// seconds. It makes one at once.
	answerTimeout = 1
	// maxAnswer is how long a part of an answer is at most, in bytes
	// (net/netlink/af_netlink.c, netlink_dump: 32 KiB).
	maxAnswer = 64 << 10
	// maxDumps is how often a dump is begun anew that changes cut across.
	maxDumps = 3
)

// native is the byte order of netlink's own fields.
var native = binary.NativeEndian

// errInterrupted is that something changed while it was told.
var errInterrupted = errors.New("it changes too fast to be read")

// netlink is a netlink socket on which one dump follows the other.
type netlink struct {
	protocol int
	fd       int // -1 while it is not open
	seq      uint32
	buf      []byte // of an answer
}

func newNetlink(protocol int) *netlink { return &netlink{protocol: protocol, fd: -1} }

// dump has the kernel tell all that it has of what the request asks for, and
// calls each with each message, which is valid until each returns. If it is
// called again after an error, or after begin was, what came before is void.
func (n *netlink) dump(kind uint16, request []byte, begin func(), each func(message []byte)) error {
	for range maxDumps {
		begin()
		err := n.dumpOnce(kind, request, each)
		if err == nil {
			return nil
		}
		if err != errInterrupted {
			n.close() // the rest of an answer might be taken for the next one
			return err
		}
	}
	return errInterrupted
}

func (n *netlink) dumpOnce(kind uint16, request []byte, each func(message []byte)) error {
	if err := n.open(); err != nil {
		return err
	}
	n.seq++
	if err := n.send(kind, request); err != nil {
		return err
	}
	interrupted := false
	for {
		part, err := n.receive()
		if err != nil {
			return err
		}
		for len(part) >= unix.SizeofNlMsghdr {
			length := int(native.Uint32(part))
			if length < unix.SizeofNlMsghdr || length > len(part) {
				return fmt.Errorf("the kernel's answer is cut off")
			}
			message := part[unix.SizeofNlMsghdr:length]
			interrupted = interrupted || native.Uint16(part[6:])&unix.NLM_F_DUMP_INTR != 0
			switch kind, number := native.Uint16(part[4:]), native.Uint32(part[8:]); {
			case number != n.seq: // of a request that was given up
			case kind == unix.NLMSG_DONE || kind == unix.NLMSG_ERROR:
				if len(message) >= 4 && native.Uint32(message) != 0 {
					return unix.Errno(-int32(native.Uint32(message)))
				}
				if interrupted {
					return errInterrupted
				}
				return nil
			default:
				each(message)
			}
			part = part[min(len(part), align(length)):]
		}
	}
}

func (n *netlink) open() error {
	if n.fd >= 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, n.protocol)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: answerTimeout}); err != nil {
		unix.Close(fd)
		return err
	}
	if n.buf == nil {
		n.buf = make([]byte, maxAnswer)
	}
	n.fd = fd
	return nil
}

func (n *netlink) close() {
	if n.fd >= 0 {
		unix.Close(n.fd)
		n.fd = -1
	}
}

// send sends struct nlmsghdr and the request.
func (n *netlink) send(kind uint16, request []byte) error {
	m := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(request))
	native.PutUint32(m, uint32(unix.SizeofNlMsghdr+len(request)))
	native.PutUint16(m[4:], kind)
	native.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	native.PutUint32(m[8:], n.seq)
	m = append(m, request...)
	for {
		if _, err := unix.Write(n.fd, m); err != unix.EINTR {
			return err
		}
	}
}

func (n *netlink) receive() ([]byte, error) {
	for {
		got, err := unix.Read(n.fd, n.buf)
		if err != unix.EINTR {
			return n.buf[:max(0, got)], err
		}
	}
}

// attributes are those that a message ends in (struct nlattr), by their types.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	const header, typeMask = 4, 0x3fff // NLA_TYPE_MASK
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= header {
			length := int(native.Uint16(b))
			if length < header || length > len(b) {
				return
			}
			if !yield(native.Uint16(b[2:])&typeMask, b[header:length]) {
				return
			}
			b = b[min(len(b), align(length)):]
		}
	}
}

// align rounds up to where the next message or attribute begins.
func align(length int) int { return (length + 3) &^ 3 }
