package sidecar

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/config"
	"github.com/landmark-health/landmark/internal/frontend/bfd"
)

const (
	// reserved is how many descriptors landmarkd keeps for itself: its standard
	// streams, its pollers, its listeners and their locks, its netlink sockets, the
	// connections of operators, one refused connection of each listener, those that
	// come with a notification, and some that are just being closed.
	reserved = 34 + operators
	// operators is how many connections of operators may be open at once, and
	// operatorsPerUser how many of one user other than root and landmarkd's own.
	operators        = 8
	operatorsPerUser = 2
	// activeAgent protects the connection of a program that has reported within this
	// time from newcomers of its own user. It is several intervals of the slowest
	// program.
	activeAgent = 2 * time.Second
	// minShared is the smallest number of descriptors to divide. It gives each limit
	// at least two connections, so that one client cannot take all.
	minShared = 20
	// descriptorsPerGate counts the gate's port, that of the other address family, and a
	// connection that is just being closed.
	descriptorsPerGate = 3
	// descriptorsPerProbe counts the probe's connection. While its name is resolved it
	// has two sockets instead, for IPv4 and IPv6.
	descriptorsPerProbe = 2
	// descriptorsPerHTTP counts the connection, and the -web-config file or one that it
	// names, which each request and each handshake reads.
	descriptorsPerHTTP = 2
	// descriptorsPerAgent counts the connection and the pidfd of its process.
	descriptorsPerAgent = 2
	// descriptorsPerBFD counts the two sockets of a session, and that of its local address.
	descriptorsPerBFD = 3
	// descriptorsPerNotifySocket counts the socket and its lock. A process that sends
	// notifications has one, a pidfd.
	descriptorsPerNotifySocket = 2
	// The upper bounds hold however many descriptors there are, because a connection
	// uses memory too. Together with the guard's budgets they keep landmarkd below
	// 128 MB whatever all clients send.
	maxAgents  = 1024
	maxMonitor = 10240
	maxLine    = 384
	maxGRPC    = 384
	maxHTTP    = 256
	maxNotify  = 512
)

// connLimits are the most connections of each kind that landmarkd has open, so that
// no kind of client can take the descriptors that another needs. At least half of
// the descriptors are for agents: a refused checker checks again, but a program that
// cannot report counts as lost for all checkers.
type connLimits struct {
	agents        int
	agentsPerUser int // of any user other than root and landmarkd's own
	monitor       int
	line          int // 0 unless the line protocol is on
	grpc          int
	http          int // 0 unless HTTP is on
	notify        int // processes that send notifications
	notifyPerUser int // of any user other than root and landmarkd's own
	notifySockets int // of services; 0 unless there is a configuration
	gates         int // how many there may be; 0 unless there is a configuration
	probes        int // how many there may be; 0 unless there is a configuration
	bfd           int // how many sockets of sessions there may be; 0 unless there is a configuration
	spare         int // descriptors that none of these needs
}

// availableLimits divides the descriptors that this process may open. It uses the
// soft limit, which the Go runtime raises to the hard limit at the start.
func availableLimits() (connLimits, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return connLimits{}, fmt.Errorf("reading how many files may be open: %w", err)
	}
	if limit.Cur < reserved+minShared {
		return connLimits{}, fmt.Errorf("only %d files may be open, and landmarkd needs %d; raise LimitNOFILE= in its unit, or ulimit -n",
			limit.Cur, reserved+minShared)
	}
	// The bound avoids an overflow: the limit may be RLIM_INFINITY.
	return divideDescriptors(int(min(limit.Cur, 1<<20))), nil
}

// divideDescriptors returns the limits for n descriptors.
func divideDescriptors(n int) connLimits {
	shared := n - reserved
	l := connLimits{monitor: min(shared/4, maxMonitor), grpc: min(shared/4, maxGRPC)}
	l.agents = min((shared-l.monitor-l.grpc)/descriptorsPerAgent, maxAgents)
	l.agentsPerUser = l.agents * 3 / 4
	l.spare = shared - l.monitor - l.grpc - descriptorsPerAgent*l.agents
	return l
}

// allowBFD allows as many sockets of BFD sessions as withBFD can set descriptors aside
// for.
func (l connLimits) allowBFD() connLimits {
	l.bfd = l.spare + l.monitor/2
	return l
}

// withBFD sets descriptors aside for the sockets of the BFD sessions, at most as many as
// allowBFD allowed. What is not spare it takes from the monitoring protocol. From then on
// there may be as many sockets as that, or as are spare, for as many sessions as a
// configuration may have.
func (l connLimits) withBFD(sockets int) connLimits {
	taken := max(0, sockets-l.spare)
	l.monitor -= taken
	l.bfd = min(l.spare+taken, descriptorsPerBFD*config.MaxPeerings)
	l.spare += taken - l.bfd
	return l
}

// withRest gives the monitoring protocol the descriptors that are spare in the end.
func (l connLimits) withRest() connLimits {
	more := min(l.spare, maxMonitor-l.monitor)
	l.monitor, l.spare = l.monitor+more, l.spare-more
	return l
}

// checkBFD returns an error if there are descriptors for fewer than so many sockets of n
// BFD sessions.
func (l connLimits) checkBFD(n, sockets int) error {
	if sockets <= l.bfd {
		return nil
	}
	return fmt.Errorf("it has %d BFD sessions, which need %d descriptors, and so few files may be open that %d are left: raise LimitNOFILE= in landmarkd's unit, or ulimit -n, or remove sessions", n, sockets, l.bfd)
}

// withLine takes at most a quarter of the monitoring protocol's connections for the line
// protocol, which few installations use and whose checkers would otherwise use the
// monitoring protocol.
func (l connLimits) withLine() connLimits {
	l.line = max(1, min(l.monitor/4, maxLine))
	l.monitor -= l.line
	return l
}

// withHTTP sets descriptors aside for HTTP. What is not spare it takes from gRPC and the
// monitoring protocol, at most a quarter of the connections of each.
func (l connLimits) withHTTP() connLimits {
	wanted := descriptorsPerHTTP * maxHTTP
	spare := min(l.spare, wanted)
	grpc := min((wanted-spare)/2, max(1, l.grpc/4))
	monitor := min(wanted-spare-grpc, max(1, l.monitor/4))
	l.spare, l.grpc, l.monitor = l.spare-spare, l.grpc-grpc, l.monitor-monitor
	l.http = (spare + grpc + monitor) / descriptorsPerHTTP
	return l
}

// withGates sets descriptors aside for as many gates as a configuration may have. What
// is not spare it takes from the monitoring protocol, at most a quarter of its
// connections.
func (l connLimits) withGates() connLimits {
	l.gates = l.reserve(config.MaxGates, descriptorsPerGate)
	return l
}

// withProbes sets descriptors aside for as many probes as a configuration may have, as
// withGates does for gates.
func (l connLimits) withProbes() connLimits {
	l.probes = l.reserve(config.MaxProbes, descriptorsPerProbe)
	return l
}

// reserve sets descriptors aside for at most n things that take each so many, and
// returns for how many there are enough.
func (l *connLimits) reserve(n, each int) int {
	taken := min(max(0, each*n-l.spare), l.monitor/4)
	l.monitor -= taken
	n = min((l.spare+taken)/each, n)
	l.spare = max(0, l.spare+taken-each*n)
	return n
}

// check returns an error if there are too few descriptors for what the file has.
func (l connLimits) check(file *config.File) error {
	return errors.Join(l.checkGates(len(file.Gates)), l.checkProbes(file.Probes()), l.checkNotifySockets(file.NotifySockets()),
		l.checkBFD(len(file.Peerings), bfd.Sockets(file.Peerings)))
}

// checkProbes returns an error if there are descriptors for fewer than n probes.
func (l connLimits) checkProbes(n int) error {
	if n <= l.probes {
		return nil
	}
	return fmt.Errorf("it has %d probes, and so few files may be open that there can be %d: raise LimitNOFILE= in landmarkd's unit, or ulimit -n, or remove probes", n, l.probes)
}

// withNotify sets descriptors aside for processes that send notifications and, if there
// is a configuration, for the sockets of services. What is not spare it takes from the
// agents, at most a quarter of theirs.
func (l connLimits) withNotify(configuration bool) connLimits {
	sockets := 0
	if configuration {
		sockets = config.MaxNotifySockets
	}
	wanted := maxNotify + descriptorsPerNotifySocket*sockets
	agents := min((max(0, wanted-l.spare)+descriptorsPerAgent-1)/descriptorsPerAgent, l.agents/4)
	l.agents -= agents
	l.agentsPerUser = l.agents * 3 / 4
	l.spare += descriptorsPerAgent * agents
	l.notifySockets = min(l.spare/4/descriptorsPerNotifySocket, sockets)
	l.spare -= descriptorsPerNotifySocket * l.notifySockets
	l.notify = min(l.spare, maxNotify)
	l.notifyPerUser = max(1, l.notify*3/4)
	l.spare -= l.notify
	return l
}

// checkNotifySockets returns an error if there are descriptors for fewer than n notify
// sockets.
func (l connLimits) checkNotifySockets(n int) error {
	if n <= l.notifySockets {
		return nil
	}
	return fmt.Errorf("it has %d notify sockets, and so few files may be open that there can be %d: raise LimitNOFILE= in landmarkd's unit, or ulimit -n, or use -notify-socket for the others", n, l.notifySockets)
}

// checkGates returns an error if there are descriptors for fewer than n gates.
func (l connLimits) checkGates(n int) error {
	if n <= l.gates {
		return nil
	}
	return fmt.Errorf("it has %d gates, and so few files may be open that there can be %d: raise LimitNOFILE= in landmarkd's unit, or ulimit -n, or remove gates", n, l.gates)
}
