//go:build !linux

package agent

import "syscall"

// unread returns false: the kernel cannot be asked.
func unread(syscall.RawConn) bool { return false }
