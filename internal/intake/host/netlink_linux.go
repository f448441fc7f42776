package host

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"iter"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// answerTimeout is how long the kernel may take for one datagram of an answer.
	// It normally sends one at once.
	answerTimeout = time.Second
	// maxAnswer is more than the longest datagram of an answer, in bytes
	// (net/netlink/af_netlink.c, netlink_dump: 32 KiB).
	maxAnswer = 64 << 10
	// maxDumps is how often a dump is tried while changes interrupt it.
	maxDumps = 3
)

// native is the byte order of netlink's own fields.
var native = binary.NativeEndian

var (
	errInterrupted = errors.New("it changes too fast to be read")
	errTruncated   = errors.New("the kernel's answer is truncated")
)

// netlink is a netlink socket for dumps, one at a time. It reuses one buffer, and it
// repeats a dump that a change interrupts. github.com/mdlayher/netlink does neither:
// it copies each datagram, and leaves the interruption to its caller.
type netlink struct {
	protocol int
	file     *os.File // nil while it is not open
	seq      uint32   // of the last request
	buf      []byte   // for one datagram of an answer
}

func newNetlink(protocol int) *netlink { return &netlink{protocol: protocol} }

// dump sends the request for a dump, and calls each with each message of the
// answer, which is valid until each returns. It calls reset before each attempt, and
// each attempt replaces the messages of the one before. After an error the messages
// are incomplete.
func (n *netlink) dump(kind uint16, request []byte, reset func(), each func(message []byte)) error {
	for range maxDumps {
		reset()
		err := n.dumpOnce(kind, request, each)
		if err == nil {
			return nil
		}
		if err != errInterrupted {
			n.close() // or the rest of this answer could be read as the next one
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
		b, err := n.receive()
		if err != nil {
			return err
		}
		for len(b) >= unix.SizeofNlMsghdr {
			length := int(native.Uint32(b))
			if length < unix.SizeofNlMsghdr || length > len(b) {
				return errTruncated
			}
			message := b[unix.SizeofNlMsghdr:length]
			interrupted = interrupted || native.Uint16(b[6:])&unix.NLM_F_DUMP_INTR != 0
			switch kind, seq := native.Uint16(b[4:]), native.Uint32(b[8:]); {
			case seq != n.seq: // of an earlier request
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
			b = b[min(len(b), align(length)):]
		}
	}
}

// open opens the socket if it is not open. It is non-blocking, so that os.File waits
// in the runtime's poller and holds no thread.
func (n *netlink) open() error {
	if n.file != nil {
		return nil
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, n.protocol)
	if err != nil {
		return err
	}
	if n.buf == nil {
		n.buf = make([]byte, maxAnswer)
	}
	n.file = os.NewFile(uintptr(fd), "netlink")
	return nil
}

// close closes the socket if it is open. The next dump opens it again.
func (n *netlink) close() {
	if n.file != nil {
		n.file.Close()
		n.file = nil
	}
}

// send sends struct nlmsghdr and the request.
func (n *netlink) send(kind uint16, request []byte) error {
	m := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(request))
	native.PutUint32(m, uint32(unix.SizeofNlMsghdr+len(request)))
	native.PutUint16(m[4:], kind)
	native.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	native.PutUint32(m[8:], n.seq)
	_, err := n.file.Write(append(m, request...))
	return withoutPath(err)
}

// receive returns one datagram of the answer, which is valid until the next call.
func (n *netlink) receive() ([]byte, error) {
	if err := n.file.SetReadDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	return n.read()
}

// read reads one datagram. After the deadline it takes one that is there already:
// then the kernel was in time, and this process was paused.
func (n *netlink) read() ([]byte, error) {
	got, err := n.file.Read(n.buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if waiting, ok := n.readWaiting(); ok {
			return waiting, nil
		}
	}
	return n.buf[:got], withoutPath(err)
}

// readWaiting reads the datagram that is in the socket, whatever the deadline. It is
// not ok if there is none.
func (n *netlink) readWaiting() (datagram []byte, ok bool) {
	raw, err := n.file.SyscallConn()
	if err != nil {
		return nil, false
	}
	got := 0
	var failed error
	err = raw.Control(func(fd uintptr) { got, failed = unix.Read(int(fd), n.buf) })
	if err != nil || failed != nil {
		return nil, false
	}
	return n.buf[:got], true
}

// withoutPath returns the cause of an error of os.File, whose path is not a path of
// the file system.
func withoutPath(err error) error {
	if wrapped, ok := err.(*fs.PathError); ok {
		return wrapped.Err
	}
	return err
}

// attributes returns the attributes at the end of a message (struct nlattr), with
// their types.
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

// align rounds a length up to the start of the next message or attribute.
func align(length int) int { return (length + 3) &^ 3 }
