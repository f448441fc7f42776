package lmp

import (
	"errors"
	"os"
	"testing"
	"time"
)

// While arrivals are ignored, none ends the wait. Once they are noticed again, the loop
// must look whether there was one meanwhile, and the next one ends the wait.
func TestIgnoredArrivalsEndNoWait(t *testing.T) {
	s := newBatchSocket(t, "127.0.0.1:0")
	c, to := newUDPClient(t, s.at("127.0.0.1")), s.at("127.0.0.1")
	receive := func(want string) {
		t.Helper()
		if all := s.receive(t); len(all) != 1 || string(all[0].data) != want {
			t.Fatalf("received %d datagrams, the first one %q; want %q", len(all), all[0].data, want)
		}
	}
	c.send(to, []byte("before"))
	receive("before")

	s.arrivals.setDeadline(time.Now().Add(50 * time.Millisecond))
	calls := 0
	if err := s.arrivals.wait(func(epoll uintptr) bool {
		if calls++; calls == 1 {
			s.arrivals.ignore(epoll)
			c.send(to, []byte("ignored"))
		}
		return false
	}); !errors.Is(err, os.ErrDeadlineExceeded) || calls != 1 {
		t.Errorf("while arrivals are ignored: looked %d times until %v, want once until %v", calls, err, os.ErrDeadlineExceeded)
	}

	s.arrivals.setDeadline(time.Now().Add(testTimeout))
	if err := s.arrivals.wait(func(epoll uintptr) bool {
		if !s.arrivals.notice(epoll) {
			t.Error("they were ignored, and notice does not say so")
		}
		if s.arrivals.notice(epoll) {
			t.Error("they were not ignored, and notice says so")
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	receive("ignored")
	calls = 0
	if err := s.arrivals.wait(func(uintptr) bool {
		if calls++; calls == 1 {
			c.send(to, []byte("after"))
			return false
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	receive("after")
}

func TestCloseEndsWait(t *testing.T) {
	s := newBatchSocket(t, "127.0.0.1:0")
	if err := s.arrivals.wait(func(uintptr) bool {
		go s.Close()
		return false
	}); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want an error of the closed descriptor", err)
	}
}
