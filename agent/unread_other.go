//go:build !linux

package agent

import "syscall"

// unread returns false: this system does not say what was read.
func unread(syscall.RawConn) bool { return false }
