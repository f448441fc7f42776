package journal

import "time"

// The virtual services of the scenarios. All lead to the same EPG servers.
const (
	Asked   = "asked"   // the director asks the sidecars, in the way that the scenario is about
	Control = "control" // keepalived opens a connection by TCP_CHECK; only in the scenario "udp-check"
)

// The steps of the scenarios, in their order. All happen to the real server rs1.
const (
	BothIn  = "both servers in"
	Wedged  = "main loop wedged"
	Freed   = "main loop freed"
	Killed  = "program killed"
	Started = "program started again"

	// Only in the scenario "udp-check". The three of the sidecar are repeated until one restart was shorter than Patience.
	SidecarKilled  = "sidecar killed"
	SidecarStarted = "sidecar started again"
	SidecarServes  = "sidecar says serving"
	WedgedAgain    = "main loop wedged again"
)

// Patience is how long keepalived's UDP_CHECK retries before it takes a server out, counted from the first check that
// failed. A sidecar that says serving again within it, counted from its death, must not cost its server the table.
const Patience = 3 * time.Second
