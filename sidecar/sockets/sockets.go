// Package sockets says where a sidecar's sockets are unless it was told
// otherwise. It stands apart from package sidecar so that a command which only
// speaks to one does not take in the whole of it.
package sockets

import (
	"path/filepath"

	"github.com/landmark-health/landmark/internal/socket"
)

// Admin returns the path of the socket on which operators drain and resume
// services: admin.sock in $RUNTIME_DIRECTORY, else in /run/landmark as root,
// else in $XDG_RUNTIME_DIR/landmark.
func Admin() string { return filepath.Join(socket.Directory(), "admin.sock") }
