package sidecar

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/config"
)

// bindError is bindError, and says if landmarkd itself has the port already.
func (s *Sidecar) bindError(flag, address string, err error) error {
	if errors.Is(err, unix.EADDRINUSE) {
		this := config.Listener{Flag: flag, Address: address}
		for _, other := range s.listeners {
			if other.Flag != flag && other.Overlaps(this) {
				return fmt.Errorf("-%s %s: has the port of landmarkd's own -%s %s: choose another port", flag, address, other.Flag, other.Address)
			}
		}
	}
	return bindError(flag, address, err)
}

// bindError returns the error of a listener that cannot be bound: the flag of
// landmarkd with its value, the cause, and what to do. The address is HOST:PORT or
// unix:PATH.
func bindError(flag, address string, err error) error {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return unixBindError(flag, path, err)
	}
	cause := err
	if op := new(net.OpError); errors.As(err, &op) {
		cause = op.Err
		if call := new(os.SyscallError); errors.As(cause, &call) {
			cause = fmt.Errorf("cannot listen on %s: %w", strings.ToUpper(op.Net), call.Err)
		}
	}
	remedy := "write HOST:PORT, such as 127.0.0.1:19533 or [::1]:19533"
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		remedy = "stop the program that listens there, or choose another address"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		remedy = "choose an address of this host"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		remedy = "choose a port that this user may use, such as one above 1023"
	}
	return fmt.Errorf("-%s %s: %w; %s", flag, address, cause, remedy)
}

// unixBindError is bindError for the path of a Unix socket, with which err begins
// (socket.Listen).
func unixBindError(flag, path string, err error) error {
	switch {
	case path == "":
		return fmt.Errorf("-%s unix: %w", flag, err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM), errors.Is(err, unix.EROFS):
		return fmt.Errorf("-%s %w; run as a user who may write to %s, or choose another path with -%s", flag, err, filepath.Dir(path), flag)
	default:
		return fmt.Errorf("-%s %w", flag, err)
	}
}
