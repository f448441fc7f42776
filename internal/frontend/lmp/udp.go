package lmp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
)

// maxHeld is how long an answer may be held between its look-up and its sending, over UDP
// or TCP, which only happens if landmarkd is stopped in between. After that its checker
// has given up, and the program may have hung since.
const maxHeld = time.Second

// serveUDP answers requests over UDP until ctx is done. Those that have arrived together
// are read, answered and sent together, without an allocation but for link-local IPv6
// clients. An answer that has to wait is sent by another goroutine.
func (s *Server) serveUDP(ctx context.Context) error {
	raw, err := s.udp.SyscallConn()
	if err != nil {
		return err
	}
	b, err := newBatch()
	if err != nil {
		return err
	}
	defer b.free()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	var failed error // what the last receive returned
	ready := func(fd uintptr) (done bool) {
		switch failed = b.receive(fd); failed {
		case nil:
		case unix.EAGAIN:
			failed = nil
			return false // wait
		default:
			return true
		}
		timing, looksUp := s.udpAnswers.BeginAll(b.received), time.Now()
		s.answerBatch(ctx, &waiting, b, fd, timing)
		if b.answered > 0 && time.Since(looksUp) < maxHeld {
			sent, unsent := b.send(fd)
			s.udpAnswers.EndAll(timing, sent)
			s.rejections.Add(noRoom, unsent)
		}
		// A lone request is most often the only one that has arrived, so the loop waits
		// without reading in vain. The poller knows of each one that arrived since.
		return b.received > 1
	}
	for {
		err := raw.Read(ready)
		if err == nil {
			err = failed
		}
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && failed == nil:
			s.udpLoop.Turned(s.udp.SetReadDeadline)
		case errors.Is(err, os.ErrDeadlineExceeded):
			// A loop that cannot receive does not work, so it has not turned. But it
			// tries again.
			_ = s.udp.SetReadDeadline(time.Time{})
		case err != nil:
			// The error belongs to one datagram, as an ICMP error does, and the
			// next read may succeed. The pause keeps the loop from spinning if
			// it does not.
			s.rejections.Count(failedToReceive)
			if !sleep.For(ctx, 10*time.Millisecond) {
				return nil
			}
		}
	}
}

// answerBatch adds to b the answers to its requests, which came from the socket fd.
func (s *Server) answerBatch(ctx context.Context, waiting *sync.WaitGroup, b *batch, fd uintptr, timing frontend.Timing) {
	for i := range b.received {
		d := b.datagram(i, fd)
		q, key, ok := s.parseDatagram(d)
		if !ok {
			continue
		}
		a, final := s.config.Source.Lookup(q.Service, q.MaxAge)
		if !final {
			s.answerAsync(ctx, waiting, d, q, key, timing)
			continue
		}
		b.answer(i, d, s.appendDatagramAnswer(b.out, d, q, &a, key))
	}
}

// TurnUDP returns once the loop that answers requests over UDP has turned. It shows that the
// loop works. The error is ctx's. Call it while Run runs, and only once at a time.
func (s *Server) TurnUDP(ctx context.Context) error {
	return s.udpLoop.Turn(ctx, s.udp.SetReadDeadline)
}

// parseDatagram parses the request in a datagram, and returns the key that
// signed it. It counts the requests that it rejects.
func (s *Server) parseDatagram(d datagram) (q lmp.Request, key *lmp.Key, ok bool) {
	if d.destination.groupAddress {
		s.rejections.Count(groupAddress)
		return q, nil, false
	}
	q, key, err := s.parse(d.data)
	switch {
	case err != nil:
		s.rejections.countError(err)
		return q, nil, false
	case q.Kind == lmp.KindWatch:
		s.rejections.Count(watchOverUDP)
		return q, nil, false
	}
	return q, key, true
}

// answerAsync sends the answer once it is final, while other datagrams are
// served. The source limits how many wait.
func (s *Server) answerAsync(ctx context.Context, waiting *sync.WaitGroup, d datagram, q lmp.Request, key *lmp.Key, timing frontend.Timing) {
	timing.Wait()
	// The next batch overwrites what d is in, but not the length of its data.
	q.Service, d.client = bytes.Clone(q.Service), bytes.Clone(d.client)
	waiting.Go(func() {
		a, err := s.config.Source.Await(ctx, q.Service, q.MaxAge)
		if err != nil {
			s.rejections.countError(err)
			return
		}
		switch s.udp.send(s.appendDatagramAnswer(nil, d, q, &a, key), d) {
		case nil:
			s.udpAnswers.End(timing)
		case unix.EAGAIN:
			s.rejections.Count(noRoom)
		}
	})
}

// appendDatagramAnswer records who sent d, and appends the answer to its request
// q. The answer is no longer than d, so that a request with a forged source
// address makes this server send no more than it cost. Of d's data only the
// length is read.
func (s *Server) appendDatagramAnswer(out []byte, d datagram, q lmp.Request, a *registry.Answer, key *lmp.Key) []byte {
	frontend.RecordChecker(s.config.Checkers, checkers.Checker{From: d.from.Addr().Unmap(), Via: checkers.LMPUDP}, q.Service, a)
	answer := translate(q, a)
	return lmp.AppendAnswer(out, &answer, min(len(d.data), lmp.MaxDatagram), key)
}

// udpSocket is a UDP socket that knows which of the host's addresses each
// datagram was sent to. The answer leaves from that address: a checker accepts no
// answer from another, and a request to a virtual address must not be answered
// from a real one.
type udpSocket struct {
	*net.UDPConn
}

// listenUDP binds the address's host at the given port.
func listenUDP(address string, port int) (*udpSocket, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	local, err := net.ResolveUDPAddr("udp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, err
	}
	if err := prepareUDP(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return &udpSocket{conn}, nil
}

// sendBuffer is the size in bytes of the socket's memory for answers that the kernel has
// not sent, as far as the kernel grants it. Those to one neighbor that does not say its
// link-layer address have by default 212,992 bytes, as much as all of a socket
// (arp(7), unres_qlen_bytes; socket(7), wmem_default).
const sendBuffer = 4 << 20

// prepareUDP checks that the socket can do what this package needs, and sets its options.
func prepareUDP(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if failed = checkTransfers(fd); failed != nil {
			return
		}
		if err := requestDestinations(fd); err != nil {
			failed = fmt.Errorf("asking the kernel for the destination of each datagram: %w", err)
			return
		}
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil { // needs CAP_NET_ADMIN
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer) // up to wmem_max
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// requestDestinations makes the kernel deliver each datagram's destination.
func requestDestinations(fd uintptr) error {
	domain, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err == nil && domain == unix.AF_INET6 {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	if err == nil {
		// A dual-stack socket receives IPv4 datagrams too, and only IP_PKTINFO
		// distinguishes a broadcast from an address of the host.
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	return os.NewSyscallError("setsockopt", err)
}

// datagram is one received datagram.
type datagram struct {
	data        []byte // in a batch
	client      []byte // in a batch: the kernel's form of from
	from        netip.AddrPort
	destination destination
}

// send sends the answer to d from the address that d was sent to. It does not wait: the
// error is unix.EAGAIN if the socket has no room.
func (u *udpSocket) send(answer []byte, d datagram) error {
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = sendAlone(fd, answer, d.client, d.destination) }); err != nil {
		return err
	}
	return failed
}
