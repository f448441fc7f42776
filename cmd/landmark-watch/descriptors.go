package main

import (
	"fmt"
	"syscall"

	"github.com/landmark-health/landmark/lmp/probe"
)

const (
	// descriptorsOfLookup is how many descriptors it takes to look up a name.
	descriptorsOfLookup = 2
	// descriptorsKept are for all else: the streams, the poller, the lock, systemd.
	descriptorsKept = 16
)

// checkDescriptors returns an error if the process may not open as many files as
// so many targets take. It would be told that a server is out, and could not write
// it, for want of a descriptor.
func checkDescriptors(targets []target) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("reading the limit of open files: %w", err)
	}
	need := uint64(descriptorsKept)
	for _, t := range targets {
		need += 1 + uint64(probe.MaxConnections(t.address)) // the 1 is for its file
		if probe.MaxConnections(t.address) > 1 {            // it is a name
			need += descriptorsOfLookup
		}
	}
	if limit.Cur < need {
		return fmt.Errorf("%d targets take up to %d open files, and the limit is %d: raise it (ulimit -n, or LimitNOFILE= of systemd)", len(targets), need, limit.Cur)
	}
	return nil
}
