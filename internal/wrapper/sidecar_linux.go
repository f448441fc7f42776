package wrapper

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/rule"
	"github.com/landmark-health/landmark/internal/servicemanager"
)

const (
	// lookInterval is how often the wrapper looks whether a landmarkd has come.
	lookInterval = 500 * time.Millisecond
	// writeTimeout is how long a notification waits to be received at a time. It adds to
	// maxDelay.
	writeTimeout = 250 * time.Millisecond
	// maxDelay is how long a notification may wait for landmarkd. If it waited longer, a
	// pass of a landmark that it reports would look younger than it is.
	maxDelay = 500 * time.Millisecond
	// maxQueue is how many notifications wait for landmarkd at most.
	maxQueue = 256
	// byeTimeout is how long the wrapper waits at its end until landmarkd has read why.
	byeTimeout = time.Second
)

// sidecar sends to landmarkd what the program says. To a new landmarkd, and to one that did
// not read for some time, it sends what is still true instead. It never makes the program
// wait.
type sidecar struct {
	path   string
	header string // of each notification: the service and the process
	now    func() rule.Instant

	wake  chan struct{} // holds a token if there is something to send
	ended chan struct{} // closed when run has ended

	// Of run.
	conn *net.UnixConn // nil if there is no landmarkd
	file os.FileInfo   // of the path when conn was connected

	mu        sync.Mutex
	said      record   // guarded by mu
	queue     []queued // guarded by mu
	complete  bool     // landmarkd knows all once it has read the queue; guarded by mu
	heldReady bool     // it was not sent READY=1, because the program hangs; guarded by mu
}

// queued is a notification that waits for landmarkd.
type queued struct {
	data []byte
	at   rule.Instant // since when
}

func newSidecar(path, service string, pid int, now func() rule.Instant) *sidecar {
	return &sidecar{
		path: path, header: fmt.Sprintf("X_LANDMARK_SERVICE=%s\nMAINPID=%d\n", service, pid), now: now,
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// submit queues the lines of a notification, which said has taken. The caller holds mu.
func (s *sidecar) submit(lines []string) {
	if s.complete { // else all that is still true will be sent
		if s.heldReady && !s.said.hangs(s.now()) {
			s.heldReady = false
			lines = append([]string{"READY=1"}, lines...)
		}
		s.enqueue(lines, s.now())
		s.complete = len(s.queue) <= maxQueue
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sidecar) enqueue(lines []string, at rule.Instant) {
	for _, data := range datagrams(s.header, lines) {
		s.queue = append(s.queue, queued{data, at})
	}
}

// stopped makes run report at its end that the program has stopped. It then reports all
// else once more, for a landmarkd that has given up the process meanwhile.
func (s *sidecar) stopped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.stopping, s.complete = true, false
}

// run sends until ctx is done, and then what is left.
func (s *sidecar) run(ctx context.Context) {
	defer close(s.ended)
	defer s.disconnect()
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		s.send(time.Now().Add(writeTimeout))
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-ticker.C:
		}
	}
	deadline := time.Now().Add(byeTimeout)
	s.send(deadline)
	if s.conn != nil && s.stops() {
		s.awaitRead(deadline)
	}
}

// send sends what is queued to the landmarkd that there is now, if any.
func (s *sidecar) send(deadline time.Time) {
	if s.conn != nil && !s.isCurrent() {
		s.disconnect()
	}
	for range 2 { // the second time if landmarkd has just been replaced
		if s.conn == nil && !s.connect() {
			return
		}
		err := s.sendQueue(deadline)
		if err == nil {
			return
		}
		s.disconnect()
	}
}

// connect connects to landmarkd, and queues all that is still true.
func (s *sidecar) connect() bool {
	file, err := os.Stat(s.path)
	if err != nil {
		return false
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.path, Net: "unixgram"})
	if err != nil {
		return false
	}
	s.conn, s.file = conn, file
	return true
}

// isCurrent reports whether the path is still that of the landmarkd.
func (s *sidecar) isCurrent() bool {
	file, err := os.Stat(s.path)
	return err == nil && os.SameFile(file, s.file) && file.ModTime().Equal(s.file.ModTime())
}

func (s *sidecar) disconnect() {
	if s.conn != nil {
		s.conn.Close()
	}
	s.conn = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue, s.complete = nil, false
}

// sendQueue sends the queue. It returns an error if landmarkd is gone. If landmarkd does
// not read, the rest stays queued.
func (s *sidecar) sendQueue(deadline time.Time) error {
	s.conn.SetWriteDeadline(deadline)
	for {
		datagram := s.next()
		if datagram == nil {
			return nil
		}
		if _, err := s.conn.Write(datagram); os.IsTimeout(err) {
			return nil
		} else if err != nil {
			return err
		}
		s.sent()
	}
}

// next returns the first notification of the queue, nil if it is empty.
func (s *sidecar) next() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	if !s.complete || len(s.queue) > 0 && at.Sub(s.queue[0].at) > maxDelay {
		s.queue, s.complete, s.heldReady = nil, true, s.said.ready && s.said.hangs(at)
		s.enqueue(s.said.lines(at), at)
	}
	if len(s.queue) == 0 {
		return nil
	}
	return s.queue[0].data
}

// sent removes the first notification, which was sent.
func (s *sidecar) sent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.complete { // else the queue is replaced
		s.queue = s.queue[1:]
	}
}

// awaitRead waits until landmarkd has handled all that was sent.
func (s *sidecar) awaitRead(deadline time.Time) {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	defer r.Close()
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	err = servicemanager.At(s.path).Relay(ctx, []byte("BARRIER=1"), []int{int(w.Fd())})
	w.Close()
	if err != nil {
		return
	}
	r.SetReadDeadline(deadline)
	io.ReadAll(r) // until landmarkd closes the other end
}

// stops reports whether the program has said that it stops.
func (s *sidecar) stops() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.stopping
}
