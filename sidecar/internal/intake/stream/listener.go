package stream

import (
	"fmt"
	"log/slog"
	"net"

	"github.com/landmark-health/landmark/sidecar/internal/socket"
)

// listener accepts agents' connections, and closes those that their user has
// too many of. It does so before it accepts the next: what is refused does not
// even for a moment keep other users' agents from their places.
type listener struct {
	net.Listener
	connections *connections
	refusals    *socket.Refusals
	logger      *slog.Logger
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, err := l.connections.identify(accepted)
		if err != nil {
			l.logger.Error("connection refused", "why", err)
			accepted.Close()
			continue
		}
		if !l.connections.add(conn) {
			l.refusals.Log(fmt.Sprintf("agents of uid %d", conn.peer.UID), l.connections.perUser)
			accepted.Close()
			continue
		}
		return conn, nil
	}
}
