package agents

import (
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nonblock"
)

// reader reads from a connection, and says whether it is at it. One goroutine reads.
type reader struct {
	conn  net.Conn
	raw   syscall.RawConn       // of conn
	begin func(fd uintptr) bool // is tryBegin: each method value is an allocation
	// reading is set from before bytes are taken from the socket until the goroutine has
	// passed them on and waits again.
	reading atomic.Bool
}

func newReader(conn net.Conn, raw syscall.RawConn) *reader {
	made := &reader{conn: conn, raw: raw}
	made.begin = made.tryBegin
	return made
}

// wait returns as soon as there is something to read, or an error. What is there must then
// be read.
func (r *reader) wait() error {
	r.reading.Store(false)
	return r.raw.Read(r.begin)
}

// read reads what wait has found.
func (r *reader) read(b []byte) (int, error) { return r.conn.Read(b) }

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
