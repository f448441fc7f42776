package agents

import (
	"log/slog"
	"net"
)

// listener has the connections that it accepts among those that are open.
type listener struct {
	net.Listener
	connections *connections
	logger      *slog.Logger
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, err := l.connections.add(accepted)
		if err != nil {
			l.logger.Error("connection refused", "why", err)
			accepted.Close()
			continue
		}
		return conn, nil
	}
}
