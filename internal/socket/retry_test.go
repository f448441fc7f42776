package socket

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
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

func TestRetryAcceptRetriesAfterEveryError(t *testing.T) {
	for _, err := range []error{syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EMFILE, syscall.EPROTO, syscall.EINVAL, errors.New("unknown")} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			const times = 200
			l := RetryAccept(&failing{err: err, times: times}, "agents", NewRefusals(slog.New(slog.NewTextHandler(&log, nil))))
			begun := time.Now()
			conn, got := l.Accept()
			if got != nil {
				t.Fatalf("%v ended the listener: %v", err, got)
			}
			conn.Close()
			took := time.Since(begun)
			if took < times*maxRetryDelay/2 || took > times*maxRetryDelay {
				t.Errorf("it took %v for %d tries", took, times)
			}
			if lines := strings.Count(log.String(), "\n"); lines != int(took/logInterval)+1 {
				t.Errorf("%d lines were logged in %v:\n%s", lines, took, &log)
			}
		})
	}
}

// Close ends an Accept that waits for its next attempt.
func TestCloseEndsARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := RetryAccept(&failing{err: syscall.ENOBUFS, times: 1 << 30}, "agents", NewRefusals(slog.New(slog.DiscardHandler)))
		ended := make(chan error)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		begun := time.Now()
		l.Close()
		l.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) || time.Since(begun) > 0 {
			t.Errorf("Accept returned %v after %v", err, time.Since(begun))
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed listener accepts: %v", err)
		}
	})
}
