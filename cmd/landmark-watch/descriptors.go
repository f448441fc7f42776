package main

import (
	"fmt"
	"syscall"
)

const (
	// descriptorsOfTarget is how many descriptors one target takes at most: two to
	// connect or to look up its name, and one for its file.
	descriptorsOfTarget = 3
	// descriptorsKept are for all else: the streams, the poller, the lock, systemd.
	descriptorsKept = 16
)

// checkDescriptors returns an error if the process may not open as many files as
// so many targets take. It would be told that a server is out, and could not write
// it, for want of a descriptor.
func checkDescriptors(targets int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("reading the limit of open files: %w", err)
	}
	need := uint64(descriptorsKept + descriptorsOfTarget*targets)
	if limit.Cur < need {
		return fmt.Errorf("%d targets take up to %d open files, and the limit is %d: raise it (ulimit -n, or LimitNOFILE= of systemd)", targets, need, limit.Cur)
	}
	return nil
}
