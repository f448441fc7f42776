package logqueue

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A reader reads a log. A test can stop it or make it fail.
type reader struct {
	gate chan struct{} // closed once it reads

	mu   sync.Mutex
	err  error
	text bytes.Buffer
}

func newReader(reads bool) *reader {
	r := &reader{gate: make(chan struct{})}
	if reads {
		close(r.gate)
	}
	return r
}

func (r *reader) Write(b []byte) (int, error) {
	<-r.gate
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	return r.text.Write(b)
}

func (r *reader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *reader) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Split(strings.TrimSuffix(r.text.String(), "\n"), "\n")
}

func TestQueueKeepsOrder(t *testing.T) {
	r := newReader(true)
	q := New(r)
	for i := range 100 {
		fmt.Fprintf(q, "%d\n", i)
	}
	q.Close()
	got := r.lines()
	for i, line := range got {
		if line != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	if len(got) != 100 {
		t.Errorf("%d lines written, want 100", len(got))
	}
}

// While the reader is stopped, the queue stays below its limit, and the number of
// dropped lines follows the kept lines.
func TestWriteNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader(false)
		q := New(r)
		const n = 100_000
		line := []byte(strings.Repeat("x", 99) + "\n")
		for i := range n {
			q.Write(line)
			if i == 0 {
				synctest.Wait() // until the goroutine that writes has this line only
			}
		}
		if q.size > maxBytes {
			t.Errorf("%d bytes wait, want at most %d", q.size, maxBytes)
		}
		close(r.gate)
		synctest.Wait()
		fmt.Fprintln(q, "later")
		q.Close()
		got := r.lines()
		kept := len(got) - 2
		if kept < 1000 || kept > 2*maxBytes/(len(line)+overhead)+1 {
			t.Errorf("%d lines kept, want 1000 to the limit", kept)
		}
		if want := fmt.Sprintf("lines=%d", n-kept); !strings.Contains(got[kept], "level=WARN") || !strings.HasSuffix(got[kept], want) {
			t.Errorf("line after the kept lines is %q, want %s", got[kept], want)
		}
		if got := q.Dropped(); got != uint64(n-kept) {
			t.Errorf("%d lines were dropped, want %d", got, n-kept)
		}
		if got[kept+1] != "later" {
			t.Errorf("last line is %q, want later", got[kept+1])
		}
	})
}

// Close does not wait for a reader that is stopped. A slow reader gets the last line.
func TestCloseTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader(false)
		q := New(r)
		fmt.Fprintln(q, "a")
		start := time.Now()
		q.Close()
		if took := time.Since(start); took != closeTimeout {
			t.Errorf("Close took %v, want %v", took, closeTimeout)
		}
		fmt.Fprintln(q, "b") // dropped
		close(r.gate)
		<-q.ended
		if got := r.lines(); got[0] != "a" {
			t.Errorf("lines %q", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newReader(false)
		q := New(r)
		fmt.Fprintln(q, "why it ended")
		time.AfterFunc(closeTimeout/2, func() { close(r.gate) })
		q.Close()
		if got := r.lines(); len(got) != 1 || got[0] != "why it ended" {
			t.Errorf("lines %q", got)
		}
	})
}

// A full disk loses lines, and the log says how many once there is room.
func TestFailedWritesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader(true)
		q := New(r)
		r.fail(syscall.ENOSPC)
		for range 3 {
			fmt.Fprintln(q, "lost")
			synctest.Wait()
		}
		r.fail(nil)
		fmt.Fprintln(q, "again")
		q.Close()
		got := r.lines()
		if len(got) != 2 || got[0] != "again" || !strings.HasSuffix(got[1], "lines=3") || q.Dropped() != 3 {
			t.Errorf("lines %q, %d dropped", got, q.Dropped())
		}
	})
}

// A non-blocking descriptor without room does not lose a line.
func TestNonBlockingWriteIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader(true)
		q := New(r)
		r.fail(&os.PathError{Op: "write", Path: "/dev/stderr", Err: syscall.EAGAIN})
		fmt.Fprintln(q, "kept")
		time.Sleep(time.Second)
		r.fail(nil)
		q.Close()
		if got := r.lines(); len(got) != 1 || got[0] != "kept" {
			t.Errorf("lines %q", got)
		}
	})
}

// A line longer than the queue is dropped.
func TestLongLineIsDropped(t *testing.T) {
	r := newReader(true)
	q := New(r)
	q.Write(make([]byte, maxBytes))
	q.Close()
	if got := r.lines(); len(got) != 1 || !strings.HasSuffix(got[0], "lines=1") {
		t.Errorf("lines %q", got)
	}
}

func TestWriteReturnsNoError(t *testing.T) {
	r := newReader(true)
	r.fail(errors.New("broken"))
	q := New(r)
	if n, err := q.Write([]byte("a\n")); n != 2 || err != nil {
		t.Errorf("Write returned %d, %v", n, err)
	}
	q.Close()
}
