package lmp

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/lmp"
)

const (
	// maxUnsent is how many bytes, some frames, the kernel queues for a checker
	// that does not read. By default the kernel queues megabytes, and a checker
	// of a WATCH that was away for an hour would then read that whole hour, the
	// oldest first.
	maxUnsent = 8 * 32
	// fullBuffer is the length of pipelined answers, in bytes, at which they are
	// sent though more requests may follow.
	fullBuffer = 4 << 10
)

// listenTCP binds the address for TCP. Accepted connections inherit the
// listener's options.
func listenTCP(address string) (*net.TCPListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) {
			// A peer that has vanished acknowledges nothing, and a deadline
			// would not show it: a write waits for buffer space only.
			err := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(socket.FrameTimeout.Milliseconds()))
			if err == nil {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
			}
			failed = os.NewSyscallError("setsockopt", err)
		})
		if err != nil {
			return err
		}
		return failed
	}}
	l, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// serveTCP answers requests over TCP until ctx is done.
func (s *Server) serveTCP(ctx context.Context) error {
	socket.Serve(ctx, s.tcp, s.serveConn)
	return nil
}

// serveConn answers the requests of one connection in order. It returns when
// the checker closes its side, breaks a rule or does not read, or ctx is done.
func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer socket.InterruptOnDone(ctx, conn)()
	frames := newFrameReader(conn, s.largeFrames)
	defer frames.close()
	checker := checkers.Checker{From: checkers.AddressOf(conn.RemoteAddr()), Via: checkers.LMPTCP}
	var out []byte
	for {
		if !frames.ready() && !flush(ctx, conn, &out) {
			return
		}
		frame, err := frames.next(ctx, socket.IdleTimeout)
		if err != nil {
			s.countConnError(err)
			break
		}
		timing := s.tcpAnswers.Begin()
		q, key, err := s.parse(frame)
		if err != nil {
			s.countConnError(err)
			break
		}
		socket.MarkProven(conn)
		if q.Kind == lmp.KindWatch {
			if err := s.watch(ctx, conn, frames, q, key, &out); err != nil {
				s.countConnError(err)
				return
			}
			continue
		}
		a, ok := s.await(ctx, conn, q.Service, q.MaxAge, &out, &timing)
		if !ok {
			return
		}
		frontend.RecordChecker(s.config.Checkers, checker, q.Service, &a)
		if q.Kind == lmp.KindDescribe {
			if !s.describe(ctx, conn, q, &a, key, &out) {
				return
			}
			s.tcpAnswers.End(timing)
			continue
		}
		answer := translate(q, &a)
		out = lmp.AppendAnswer(out, &answer, lmp.MaxLength, key)
		s.tcpAnswers.End(timing)
		if len(out) >= fullBuffer && !flush(ctx, conn, &out) {
			return
		}
	}
	flush(ctx, conn, &out) // answer what came before the end
}

// await returns the final answer about the name. Before it waits, it sends the
// answers in out. It is not ok if the checker does not read those, or ctx is
// done.
func (s *Server) await(ctx context.Context, conn net.Conn, name []byte, maxAge time.Duration, out *[]byte, timing *frontend.Timing) (a registry.Answer, ok bool) {
	a, final := s.config.Source.Lookup(name, maxAge)
	if final {
		return a, true
	}
	if !flush(ctx, conn, out) {
		return a, false
	}
	timing.Wait()
	a, err := s.config.Source.Await(ctx, name, maxAge)
	s.rejections.countError(err)
	return a, err == nil
}

// describe sends the answers in out, then the answer to a DESCRIBE. While there
// are too many large frames, that answer is truncated as it is over UDP, so that
// no checker can keep it from others. describe reports whether the checker read
// all.
func (s *Server) describe(ctx context.Context, conn net.Conn, q lmp.Request, a *registry.Answer, key *lmp.Key, out *[]byte) bool {
	limit := smallBuffer
	if s.largeFrames.acquire() {
		defer s.largeFrames.release()
		limit = lmp.MaxLength
	}
	answer := translate(q, a)
	*out = lmp.AppendAnswer(*out, &answer, limit, key)
	return flush(ctx, conn, out)
}

// countConnError counts err if the server closes the connection because of it.
func (s *Server) countConnError(err error) {
	switch {
	case errors.Is(err, errUnfinished):
		s.rejections.count(unfinished)
	case errors.Is(err, errTooManyLargeFrames):
		s.rejections.count(tooManyConnections)
	default:
		s.rejections.countError(err)
	}
}

// flush sends the answers in out and empties it. It reports whether the checker
// read them.
func flush(ctx context.Context, conn net.Conn, out *[]byte) bool {
	if len(*out) == 0 {
		return true
	}
	err := socket.Write(ctx, conn, *out)
	*out = (*out)[:0]
	if cap(*out) > smallBuffer {
		*out = nil // an idle connection keeps no large buffer
	}
	return err == nil
}
