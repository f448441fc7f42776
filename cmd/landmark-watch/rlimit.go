package main

import (
	"fmt"
	"syscall"

	"github.com/landmark-health/landmark/lmp/probe"
)

const (
	// lookupFiles is how many files the lookup of a name opens.
	lookupFiles = 2
	// otherFiles is for everything else: standard streams, the poller, the lock, systemd.
	otherFiles = 16
)

// checkOpenFiles returns an error if the limit of open files is too low for the targets.
// Otherwise the program could learn that a server is out and be unable to write it.
func checkOpenFiles(targets []target) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("reading the limit of open files: %w", err)
	}
	need := uint64(otherFiles)
	for _, t := range targets {
		connections := probe.MaxConnections(t.address)
		need += 1 + uint64(connections) // the 1 is for its track file
		if connections > 1 {            // the address is a name
			need += lookupFiles
		}
	}
	if limit.Cur < need {
		return fmt.Errorf("%d targets take up to %d open files, and the limit is %d: raise it (ulimit -n, or LimitNOFILE= of systemd)", len(targets), need, limit.Cur)
	}
	return nil
}
