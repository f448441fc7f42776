package journal

import "time"

// The ways in which a director checks real servers. A virtual service bears the name of its way.
const (
	UDP        = "udp"         // keepalived's UDP_CHECK
	UDPDirect  = "udp-dr"      // the same, forwarded directly
	File       = "file"        // keepalived's FILE_CHECK of what landmark-watch writes, in or out, and a UDP_CHECK beside it
	FileWeight = "file-weight" // the same with weights, forwarded directly
	Misc       = "misc"        // keepalived's MISC_CHECK with misc_dynamic, which runs landmark-check, with weights

	External        = "external"     // ldirectord's checktype=external, which runs landmark-check
	SimpleTCP       = "simpletcp"    // ldirectord's simpletcp by the line protocol, which removes servers
	SimpleTCPDirect = "simpletcp-dr" // the same, which sets their weight to 0, forwarded directly

	HAProxyTCP   = "haproxy-tcp"   // HAProxy's tcp-check
	HAProxyAgent = "haproxy-agent" // HAProxy's tcp-check and agent-check, with weights
	CompareUDP   = "compare-udp"   // compares as many bytes of a datagram as it expects, as Seesaw does
	CompareTCP   = "compare-tcp"   // the same over TCP

	// The controls open a connection, and ask nothing.
	TCP         = "tcp"          // keepalived's TCP_CHECK
	TCPDefaults = "tcp-defaults" // the same at keepalived's own times

	// This is only measured for what it costs.
	MiscNothing = "misc-nothing" // keepalived's MISC_CHECK of a script that does nothing
)

// The steps of the scenarios. All happen to the real server rs1, or to its path. Each stands from its time until the
// next step's.
const (
	BothIn = "both servers in"

	Wedged   = "main loop wedged"
	Freed    = "main loop freed"
	Killed   = "program killed"
	Started  = "program started again"
	Frozen   = "program frozen"
	Thawed   = "program thawed"
	Cut      = "network cut"
	Restored = "network restored"
	Drained  = "service drained"
	Resumed  = "service resumed"

	// A restart of the sidecar is repeated until one was short enough for the checkers' patience.
	SidecarKilled  = "landmarkd killed"
	SidecarStarted = "landmarkd started again"
	SidecarServes  = "landmarkd says serving"

	WatchKilled  = "landmark-watch killed"
	WatchStarted = "landmark-watch started again"

	// Each keepalived is restarted by itself.
	KeepalivedStopped = "keepalived stopped"
	KeepalivedStarted = "keepalived started again"

	// These follow one another quickly, many times, and only the fastest ways are waited for.
	KilledBriefly  = "program killed, briefly"
	StartedBriefly = "program started again at once"
	WedgedBriefly  = "main loop wedged, briefly"
	FreedBriefly   = "main loop freed at once"

	// Rest is a step in which nothing is done to anything.
	Rest = "nothing more is done"
)

// What the sidecar of a real server says.
const (
	Serving  = "serving"
	Stalled  = "stalled"
	Lost     = "lost"
	Draining = "draining"
)

// Patience is for how long ways that ask retry before they take a server out, counted from the first check that failed,
// on a machine that is fast enough for it. It is a second more than the snippets' own, for a program takes some two seconds
// to start here.
const Patience = 4 * time.Second

// Silence is for how long landmark-watch waits for an answer. It cannot be set.
const Silence = 3 * time.Second

// Bearable is for how long a sidecar may be away without the loss of its server's place in the table: as long as the way
// waits, less the time after which a client that lost it asks again.
func (p Pace) Bearable(prompt bool) time.Duration {
	const again = 500 * time.Millisecond
	if prompt {
		return Silence - again
	}
	return p.Patience - again
}

// Within is for how long the EPG server's main loop may leave the get-state command unanswered, on a machine that is fast
// enough for it.
const Within = time.Second

// SlowStart is how long the weight of a server grows after it came back.
const SlowStart = 2 * time.Second

// Weight is the configured weight of a real server where weights are carried.
const Weight = 10
