package sidecar

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// reserved is how many descriptors landmarkd keeps for itself: its
	// standard streams, its poller, its listeners and their locks, its sockets to
	// the kernel, operators' connections, a refused connection of each listener,
	// and some that are just being closed.
	reserved = 24 + operators
	// operators is how many connections of operators there may be at once, and
	// operatorsPerUser how many of one user but root and landmarkd's own.
	operators        = 8
	operatorsPerUser = 2
	// activeAgent protects the connection of a program that has reported within
	// this time, which is several reports of the slowest program, from newcomers
	// of its own user.
	activeAgent = 2 * time.Second
	// minShared is how many there must be to share: two of the smallest
	// share, so that one client cannot take it all.
	minShared = 16
	// descriptorsPerAgent is what an agent takes: its connection and its process.
	descriptorsPerAgent = 2
	// What is held at most, however many descriptors there are, for a
	// connection takes memory too.
	// They are chosen with the guard's budgets so that landmarkd stays below
	// 128 MB whatever all of them send.
	maxAgents  = 1024
	maxMonitor = 1536
	maxGRPC    = 384
)

// limits are how many connections landmarkd holds at most of each kind, so
// that no kind of client can take the descriptors that another needs. At least
// half of what there is goes to agents: a checker that is refused asks again,
// but a program that cannot report is lost to all of them.
type connLimits struct {
	agents        int
	agentsPerUser int // of agents, for any one user but root and landmarkd's own
	monitor       int
	line          int // 0 unless the line protocol is on
	grpc          int
}

// availableLimits divides the descriptors that this process may have: the soft
// limit, which the Go runtime has raised to the hard one by now.
func availableLimits() (connLimits, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return connLimits{}, fmt.Errorf("asking how many files may be open: %w", err)
	}
	if limit.Cur < reserved+minShared {
		return connLimits{}, fmt.Errorf("only %d files may be open, and landmarkd needs %d: raise LimitNOFILE= in its unit, or ulimit -n",
			limit.Cur, reserved+minShared)
	}
	// More than these are not used, and unlimited is no number to add to.
	return divideDescriptors(int(min(limit.Cur, 1<<20))), nil
}

// divideDescriptors returns the shares of so many descriptors.
func divideDescriptors(descriptors int) connLimits {
	shared := descriptors - reserved
	s := connLimits{monitor: min(shared/4, maxMonitor), grpc: min(shared/4, maxGRPC)}
	s.agents = min((shared-s.monitor-s.grpc)/descriptorsPerAgent, maxAgents)
	s.agentsPerUser = s.agents * 3 / 4
	return s
}

// withLine gives the line protocol, which few have on, a part of the monitoring
// protocol's share: its checkers would ask by that if they could.
func (s connLimits) withLine() connLimits {
	s.line = max(1, s.monitor/4)
	s.monitor -= s.line
	return s
}
