package journal

import "time"

// The ways in which a director checks real servers. A virtual service has the name of its way.
const (
	UDP        = "udp"         // keepalived's UDP_CHECK
	UDPDirect  = "udp-dr"      // the same, by direct routing
	File       = "file"        // keepalived's FILE_CHECK of the files of landmark-watch, in or out, and a UDP_CHECK beside it
	FileWeight = "file-weight" // the same with weights, by direct routing
	Misc       = "misc"        // keepalived's MISC_CHECK with misc_dynamic, which runs landmark-check, with weights

	BFD  = "bfd"  // keepalived's BFD_CHECK, and a UDP_CHECK beside it
	Gate = "gate" // keepalived's TCP_CHECK of the service's gate

	External        = "external"     // ldirectord's checktype=external, which runs landmark-check
	SimpleTCP       = "simpletcp"    // ldirectord's simpletcp by the line protocol, which removes servers
	SimpleTCPDirect = "simpletcp-dr" // the same, which sets their weight to 0, by direct routing

	HAProxyTCP   = "haproxy-tcp"   // HAProxy's tcp-check
	HAProxyAgent = "haproxy-agent" // HAProxy's tcp-check and agent-check, with weights
	CompareUDP   = "compare-udp"   // compares as many bytes of a datagram as it expects, as Seesaw does
	CompareTCP   = "compare-tcp"   // the same over TCP

	// The controls only open a connection.
	TCP         = "tcp"          // keepalived's TCP_CHECK
	TCPDefaults = "tcp-defaults" // the same with keepalived's default times

	// Only the cost of this one is measured.
	MiscNothing = "misc-nothing" // keepalived's MISC_CHECK of a script that does nothing
)

// The steps of the scenarios. All concern the real server rs1, or its network. Each lasts until the next step.
const (
	BothIn = "both servers in"

	Hung     = "main loop hung"
	Freed    = "main loop freed"
	Killed   = "program killed"
	Started  = "program started again"
	Frozen   = "program frozen"
	Thawed   = "program thawed"
	Cut      = "network cut"
	Restored = "network restored"
	Drained  = "service drained"
	Resumed  = "service resumed"

	// A restart of the sidecar is repeated until one was shorter than the checkers' timeout.
	SidecarKilled  = "landmarkd killed"
	SidecarStarted = "landmarkd started again"
	SidecarServes  = "landmarkd answers serving"

	WatchKilled  = "landmark-watch killed"
	WatchStarted = "landmark-watch started again"

	// The keepalived processes are restarted one after the other.
	KeepalivedStopped = "keepalived stopped"
	KeepalivedStarted = "keepalived started again"

	// These are repeated many times in quick succession. The scenario waits only for the pushed ways.
	KilledBriefly  = "program killed, briefly"
	StartedBriefly = "program started again at once"
	HungBriefly    = "main loop hung, briefly"
	FreedBriefly   = "main loop freed at once"

	// Rest is a step in which nothing is done.
	Rest = "nothing more is done"
)

// The answers of a real server's sidecar.
const (
	Serving  = "serving"
	Stalled  = "stalled"
	Lost     = "lost"
	Draining = "draining"
)

// Timeout is how long checkers retry before they take a server out, counted from the first check that failed, on a machine
// that is fast enough. It is a second longer than the default of landmark snippet, because a program takes some two seconds
// to start in the machine.
const Timeout = 4 * time.Second

// WatchTimeout is how long landmark-watch waits for an answer. It cannot be configured.
const WatchTimeout = 3 * time.Second

// MaxAbsence returns for how long a sidecar may be away without its server being taken out: the timeout of the way, less
// the time after which a checker tries again.
func (s Speed) MaxAbsence(way string) time.Duration {
	const retry = 500 * time.Millisecond
	switch way {
	case File, FileWeight:
		return WatchTimeout - retry
	case BFD:
		// The last packet before may be an interval old, and the first one after waits for the director's next.
		const interval = time.Second
		return (s.Timeout + interval - 1).Truncate(interval) - 2*interval
	}
	return s.Timeout - retry
}

// Restarts is how many restarts of a sidecar in a row must change nothing, where they are repeated.
const Restarts = 10

// Within is for how long the EPG server's main loop may leave the get-state command unanswered, on a machine that is fast
// enough for it.
const Within = time.Second

// SlowStart is the slow_start of the service.
const SlowStart = 2 * time.Second

// Weight is the configured weight of a real server, for ways that carry weights.
const Weight = 10
