package sdnotify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/turn"
)

// Datagram is a received datagram. It is valid until the function that handles it
// returns.
type Datagram struct {
	Data      []byte
	Truncated bool // it was longer than MaxMessage
	// PID and UID are of the sender, as the kernel reports them. Root may name others.
	// PID is 0 if the sender is in a PID namespace that this process cannot see.
	PID int
	UID uint32
	// Received is when it was received, and Waited how long it had waited by then: no
	// less than it did, even if the time of day was set meanwhile, and no more than the
	// time since the socket was last empty.
	Received time.Time
	Waited   time.Duration
	// Files are the descriptors that came with it, if the socket receives them. They are
	// closed after it was handled.
	Files []int
}

// Age returns how long ago the datagram was sent.
func (d *Datagram) Age() time.Duration { return d.Waited + time.Since(d.Received) }

// Pass sets the options of a socket that will receive notifications. They must be set
// before it is bound, so that no datagram comes without its sender.
//
// SO_PASSPIDFD is not among them: opening and closing a pidfd makes each datagram cost
// twice as much, and only the first datagram of a process needs one.
func Pass(fd uintptr) error {
	if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return os.NewSyscallError("setsockopt SO_PASSCRED", err)
	}
	if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return os.NewSyscallError("setsockopt SO_TIMESTAMPNS", err)
	}
	return nil
}

// Listen binds a socket for notifications at an address: a path, or @ and the name of
// an abstract one.
func Listen(address string) (*net.UnixConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if failed := c.Control(func(fd uintptr) { err = Pass(fd) }); failed != nil {
			return failed
		}
		return err
	}}
	conn, err := config.ListenPacket(context.Background(), "unixgram", address)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

const (
	// controlSize fits a timestamp and credentials, and no descriptors: the kernel closes
	// those that come with a datagram when it is received. That is after all datagrams
	// before it were handled, which is what a barrier waits for. This process could not
	// close them without a wait: the last close of a TCP socket takes as long as its
	// SO_LINGER says, and close(2) of a file in FUSE as long as its server likes.
	controlSize = 32 + 32
	// maxDescriptors is how many descriptors of one datagram are received, if any are. The
	// kernel closes the others.
	maxDescriptors = 4
	// filesSize fits the descriptors.
	filesSize = 16 + 4*maxDescriptors
	// batch is how many datagrams are handled before the socket can be closed.
	batch = 64
)

// Socket receives datagrams from a socket that [Listen] bound. Its methods may be
// called by any number of goroutines at once, Run by one.
type Socket struct {
	conn   *net.UnixConn
	raw    syscall.RawConn
	handle func(*Datagram)
	queue  int // how many datagrams wait at most
	loop   *turn.Loop

	// empty is set while everything that was received has been handled, and the socket
	// was empty after that. It is cleared before the next datagram is received.
	empty atomic.Bool

	mu        sync.Mutex // held while datagrams are received and handled
	lastEmpty time.Time  // when the socket was last empty; guarded by mu
	// What receiveOne uses, here so that it allocates nothing.
	data     [MaxMessage]byte
	control  []byte
	iov      unix.Iovec
	message  unix.Msghdr
	datagram Datagram
	files    descriptors
}

// NewSocket returns a Socket that calls handle for each datagram, in their order and
// one at a time.
func NewSocket(conn *net.UnixConn, handle func(*Datagram)) (*Socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &Socket{conn: conn, raw: raw, handle: handle, queue: queueLength(), loop: turn.New(), lastEmpty: time.Now(), control: make([]byte, controlSize)}, nil
}

// ReceiveFiles makes the socket receive descriptors, too. A sender can then stop the
// receiver for as long as it likes, by one whose close waits. It is called before Run.
func (s *Socket) ReceiveFiles() { s.control = make([]byte, controlSize+filesSize) }

// queueLength returns how many datagrams can wait in a socket that is bound now
// (net.unix.max_dgram_qlen).
func queueLength() int {
	text, err := os.ReadFile("/proc/sys/net/unix/max_dgram_qlen")
	if err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && n >= 0 {
			return n + 1
		}
	}
	return 4096
}

// Run receives datagrams until the connection is closed.
func (s *Socket) Run() error {
	for {
		var failed error
		err := s.raw.Read(func(fd uintptr) (done bool) {
			done, failed = s.receive(fd, batch)
			return done || failed != nil
		})
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.loop.Turned(s.conn.SetReadDeadline)
		case err != nil:
			return nil // it is closed
		case failed != nil:
			return fmt.Errorf("receiving notifications: %w", failed)
		}
	}
}

// Turn returns once the loop of Run has turned. It shows that the loop works: it is not
// still busy with a datagram. The error is ctx's, or that the connection is closed. Call
// it only once at a time.
func (s *Socket) Turn(ctx context.Context) error { return s.loop.Turn(ctx, s.conn.SetReadDeadline) }

// Drain handles the datagrams that are in the socket at the time of the call, and
// perhaps some more. A flood of them does not delay its return.
func (s *Socket) Drain() {
	s.raw.Control(func(fd uintptr) { s.receive(fd, s.queue) })
}

// Empty reports whether everything is handled that was sent before the call.
func (s *Socket) Empty() bool {
	unread := false
	err := s.raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		unread = err != nil || n > 0
	})
	// In this order: a datagram that has left the socket has cleared empty.
	return err != nil || !unread && s.empty.Load()
}

// receive receives and handles at most n datagrams. It reports whether it was that
// many, so that more may wait.
func (s *Socket) receive(fd uintptr, n int) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.empty.Store(false)
		began := time.Now()
		switch err := s.receiveOne(fd); err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			s.lastEmpty = began // this process may have been paused since
			s.empty.Store(true)
			return false, nil
		default:
			return false, os.NewSyscallError("recvmsg", err)
		}
	}
	return true, nil
}

// receiveOne receives and handles a datagram. It does not block, so it does not have to
// report the call to Go's scheduler. A TCP socket that lingers makes the call take longer,
// until the scheduler's signal, which it sends after 10 ms, ends the kernel's wait.
func (s *Socket) receiveOne(fd uintptr) error {
	s.iov.Base = &s.data[0]
	s.iov.SetLen(len(s.data))
	s.message = unix.Msghdr{Iov: &s.iov, Control: &s.control[0]}
	s.message.SetIovlen(1)
	s.message.SetControllen(len(s.control))
	n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&s.message)), unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if errno != 0 {
		return errno
	}
	d := &s.datagram
	*d = Datagram{Data: s.data[:n], Truncated: s.message.Flags&unix.MSG_TRUNC != 0, Received: time.Now()}
	s.files.n = 0
	if sent := s.files.parse(s.control[:s.message.Controllen], d); sent != 0 {
		d.Waited = waited(time.Duration(d.Received.UnixNano()-sent), d.Received.Sub(s.lastEmpty),
			time.Duration(d.Received.UnixNano()-s.lastEmpty.UnixNano()))
	}
	d.Files = s.files.fds[:s.files.n]
	s.handle(d)
	s.files.close()
	return nil
}

// descriptors are those that came with a datagram.
type descriptors struct {
	n   int
	fds [maxDescriptors]int
}

func (f *descriptors) close() {
	for _, fd := range f.fds[:f.n] {
		unix.Close(fd)
	}
}

// waited returns how long a datagram waited: byClock by the time of day, and no more
// than sinceEmpty, which is byClockSinceEmpty by the time of day. If these two differ,
// the time of day was set, and the datagram may have been sent before or after that:
// then the longer time counts, so that nothing passes for newer than it is.
func waited(byClock, sinceEmpty, byClockSinceEmpty time.Duration) time.Duration {
	if set := byClockSinceEmpty - sinceEmpty; set < 0 {
		byClock -= set
	}
	return min(max(0, byClock), sinceEmpty)
}

// parse parses the control messages of a datagram. It returns when the datagram was
// sent, in nanoseconds of the time of day, 0 if the kernel does not say.
func (f *descriptors) parse(control []byte, d *Datagram) (sent int64) {
	for len(control) >= unix.SizeofCmsghdr {
		header := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		length := int(header.Len)
		if length < unix.SizeofCmsghdr || length > len(control) {
			return sent
		}
		body := control[unix.SizeofCmsghdr:length]
		if header.Level == unix.SOL_SOCKET {
			switch {
			case header.Type == unix.SCM_RIGHTS:
				for ; len(body) >= 4 && f.n < len(f.fds); body = body[4:] {
					f.fds[f.n] = int(*(*int32)(unsafe.Pointer(&body[0])))
					f.n++
				}
			case header.Type == unix.SCM_CREDENTIALS && len(body) >= unix.SizeofUcred:
				cred := (*unix.Ucred)(unsafe.Pointer(&body[0]))
				d.PID, d.UID = int(cred.Pid), cred.Uid
			case header.Type == unix.SCM_TIMESTAMPNS && len(body) >= int(unsafe.Sizeof(unix.Timespec{})):
				sent = (*unix.Timespec)(unsafe.Pointer(&body[0])).Nano()
			}
		}
		control = control[min(len(control), unix.CmsgSpace(length-unix.SizeofCmsghdr)):]
	}
	return sent
}
