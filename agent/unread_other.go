//go:build !linux

package agent

import (
	"net"
	"syscall"
)

// cheap returns the connection.
func cheap(conn net.Conn) net.Conn { return conn }

// unread returns false: this system does not say what was read.
func unread(syscall.RawConn) bool { return false }
