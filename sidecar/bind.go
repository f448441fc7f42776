package sidecar

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// bindError says which of landmarkd's flags a listener that could not be bound is
// of, and what to do.
func bindError(flag string, err error) error {
	none := new(net.AddrError)
	switch {
	case errors.As(err, &none):
		return fmt.Errorf("-%s: %w; write HOST:PORT, as 127.0.0.1:19533 or [::1]:19533", flag, err)
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("-%s: %w; end the program that listens there, or give another address", flag, err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("-%s: %w; give one that this user may use", flag, err)
	default:
		return fmt.Errorf("-%s: %w", flag, err)
	}
}
