package agent

import (
	"net"
	"sync/atomic"
	"syscall"
)

// A wire is the connection to the sidecar. It knows whether the sidecar has
// read what was sent.
type wire struct {
	net.Conn
	raw     syscall.RawConn // nil where the kernel cannot be asked
	written atomic.Int64    // bytes

	// For the goroutine that sends alone.
	sent int64 // written once all messages are, at least
}

func newWire(conn net.Conn) *wire {
	w := &wire{Conn: conn}
	if s, ok := conn.(syscall.Conn); ok {
		w.raw, _ = s.SyscallConn()
	}
	return w
}

// Write implements net.Conn.
func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.written.Add(int64(n))
	return n, err
}

// frameHeaders is how many bytes HTTP/2 and gRPC add to a message.
const frameHeaders = 9 + 5

// sends notes that a message of the given size is about to be sent.
func (w *wire) sends(size int) {
	w.sent = max(w.sent, w.written.Load()) + frameHeaders + int64(size)
}

// taken reports whether the sidecar has read all messages that were sent.
// gRPC writes them some time after the Send, so that an empty socket alone
// means nothing.
func (w *wire) taken() bool {
	return w.raw == nil || w.written.Load() >= w.sent && !unread(w.raw)
}
