package agents

import (
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/nonblock"
	"github.com/landmark-health/landmark/internal/registry"
)

// reader reads from a connection, and knows when it has last read something. One
// goroutine reads; any number may call lastRead.
type reader struct {
	conn     net.Conn
	raw      syscall.RawConn       // of conn
	registry *registry.Registry    // whose clock dates what is read
	begin    func(fd uintptr) bool // is tryBegin: each method value is an allocation
	reading  atomic.Bool           // bytes may just have been taken from the socket that last does not date
	last     atomic.Int64
}

func newReader(conn net.Conn, raw syscall.RawConn, r *registry.Registry) *reader {
	made := &reader{conn: conn, raw: raw, registry: r}
	made.begin = made.tryBegin
	return made
}

// wait returns as soon as there is something to read, or an error. What is there must then
// be read.
func (r *reader) wait() error { return r.raw.Read(r.begin) }

// read reads what wait has found.
func (r *reader) read(b []byte) (int, error) {
	n, err := r.conn.Read(b)
	_, now := r.registry.Clock().Read()
	r.last.Store(int64(now))
	r.reading.Store(false)
	return n, err
}

// tryBegin reports whether there is something to read. If so, it says that before anything
// is taken from the socket: who then finds it empty must not take everything for read.
func (r *reader) tryBegin(fd uintptr) bool {
	n, err := nonblock.Ready([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}) // or the end
	if err == nil && n == 0 {
		return false
	}
	r.reading.Store(true)
	return true
}

// lastRead returns when something was last read, and false if something may just be
// being read. Look before whether the socket is empty.
func (r *reader) lastRead() (at judge.Instant, known bool) {
	if r.reading.Load() {
		return 0, false
	}
	return judge.Instant(r.last.Load()), true
}
