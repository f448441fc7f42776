package contract

// The default ports. That of LMP is lmp.Port.
const (
	GRPCPort = 19534
	LinePort = 19536 // off by default
)
