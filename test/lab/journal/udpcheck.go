package journal

// The virtual services of the scenario "udp-check". Both lead to the same EPG servers.
const (
	Asked   = "asked"   // keepalived asks the sidecars by UDP_CHECK
	Control = "control" // keepalived opens a connection by TCP_CHECK
)

// The steps of the scenario "udp-check", in their order. All happen to the real server rs1.
const (
	BothIn         = "both servers in"
	Wedged         = "main loop wedged"
	Freed          = "main loop freed"
	Killed         = "program killed"
	Started        = "program started again"
	SidecarKilled  = "sidecar killed"
	SidecarStarted = "sidecar started again"
	SidecarServes  = "sidecar says serving"
	WedgedAgain    = "main loop wedged again"
)
