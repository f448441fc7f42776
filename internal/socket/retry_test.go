package socket

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// failing is a listener whose Accept fails a number of times and then succeeds.
type failing struct {
	net.Listener
	err    error
	times  int
	closed bool
}

func (l *failing) Accept() (net.Conn, error) {
	switch {
	case l.closed:
		return nil, net.ErrClosed
	case l.times > 0:
		l.times--
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", l.err)}
	}
	conn, _ := net.Pipe()
	return conn, nil
}

func (l *failing) Close() error { l.closed = true; return nil }

func (l *failing) SetDeadline(time.Time) error { return nil }

func TestRetryAcceptRetriesAfterEveryError(t *testing.T) {
	for _, err := range []error{syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EMFILE, syscall.EPROTO, syscall.EINVAL, errors.New("unknown")} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			const times = 200
			l := RetryAccept(&failing{err: err, times: times}, "agents", NewRefusals(slog.New(slog.NewTextHandler(&log, nil))))
			began := time.Now()
			conn, got := l.Accept()
			if got != nil {
				t.Fatalf("%v ended the listener: %v", err, got)
			}
			conn.Close()
			took := time.Since(began)
			if took < times*maxRetryDelay/2 || took > times*maxRetryDelay {
				t.Errorf("it took %v for %d tries", took, times)
			}
			if lines := strings.Count(log.String(), "\n"); lines != int(took/logInterval)+1 {
				t.Errorf("%d lines were logged in %v:\n%s", lines, took, &log)
			}
		})
	}
}

// retryForAnHour returns a listener whose Accept has failed with err for an hour, and
// where the error comes with which it ends.
func retryForAnHour(err error) (l *RetryListener, ended <-chan error) {
	l = RetryAccept(&failing{err: err, times: 1 << 30}, "agents", NewRefusals(slog.New(slog.DiscardHandler)))
	result := make(chan error)
	go func() {
		_, err := l.Accept()
		result <- err
	}()
	time.Sleep(time.Hour)
	synctest.Wait()
	return l, result
}

// Close ends an Accept that waits for its next attempt.
func TestCloseEndsARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := retryForAnHour(syscall.ENOBUFS)
		began := time.Now()
		l.Close()
		l.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) || time.Since(began) > 0 {
			t.Errorf("Accept returned %v after %v", err, time.Since(began))
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed listener accepts: %v", err)
		}
	})
}

// The loop that accepts turns while no connection comes and while many do, also if the
// socket is bound again meanwhile. It does not turn while it is busy with a connection.
func TestListenerTurns(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := newPath(t)
	unix := mustListen(t, path)
	for _, bound := range []DeadlineListener{tcp.(*net.TCPListener), unix} {
		l := RetryAccept(bound, "agents", NewRefusals(slog.New(slog.DiscardHandler)))
		accepted, resume := make(chan net.Conn), make(chan struct{})
		var accepting sync.WaitGroup
		accepting.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- conn
				<-resume
			}
		})
		turn := func() {
			t.Helper()
			for range 3 {
				if err := l.Turn(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		dial := func() {
			t.Helper()
			conn, err := net.Dial(l.Addr().Network(), l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
		turn()
		dial()
		(<-accepted).Close()
		hung, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := l.Turn(hung); err != context.DeadlineExceeded {
			t.Errorf("while it is busy: got %v, want %v", err, context.DeadlineExceeded)
		}
		cancel()
		if bound == unix {
			os.Remove(path)
			mustRestore(t, unix)
		}
		resume <- struct{}{}
		turn()
		dial()
		(<-accepted).Close()
		resume <- struct{}{}
		l.Close()
		accepting.Wait()
		if err := l.Turn(t.Context()); err == nil {
			t.Error("a closed listener turns")
		}
	}
}

// A listener that cannot accept at present does not hang.
func TestListenerTurnsWhileItCannotAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ended := retryForAnHour(syscall.EMFILE)
		began := time.Now()
		for range 3 {
			if err := l.Turn(t.Context()); err != nil || time.Since(began) > 0 {
				t.Fatalf("got %v after %v", err, time.Since(began))
			}
		}
		l.Close()
		<-ended
	})
}
