package judge

// Status is what a balancer is told, in the terms of grpc.health.v1.
type Status uint8

// The statuses, numbered as in grpc.health.v1.
const (
	Unknown        Status = 0
	Serving        Status = 1
	NotServing     Status = 2
	ServiceUnknown Status = 3
)

var statusNames = [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

// String returns the name that grpc.health.v1 gives the status.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "INVALID"
}

// Cause says why a status is what it is.
type Cause uint8

// The causes, numbered as the monitoring protocol has them.
const (
	None        Cause = 0
	Starting    Cause = 1  // a landmark was not reached for the first time yet
	Stalled     Cause = 2  // an Alive, Deadline or Loop is failing
	Failed      Cause = 3  // a Level or Condition is failing
	Lost        Cause = 4  // the connection ended with no goodbye
	Stopped     Cause = 5  // the program said goodbye
	Draining    Cause = 6  // taken out on purpose, connections left to finish
	Stale       Cause = 7  // connected but silent: a frozen process
	Unreported  Cause = 8  // configured, never seen
	Recovering  Cause = 9  // healthy, not yet for long enough
	UnknownName Cause = 10 // nobody knows the service
)

var causeNames = [...]string{
	"none", "starting", "stalled", "failed", "lost", "stopped",
	"draining", "stale", "unreported", "recovering", "unknown service",
}

// String returns the cause in lower case, as it is shown to people.
func (c Cause) String() string {
	if int(c) < len(causeNames) {
		return causeNames[c]
	}
	return "invalid"
}

// precedence ranks the causes: when several hold, the one ranked first is
// told. So "draining" never hides a wedge.
var precedence = [...]uint8{
	UnknownName: 0, Unreported: 1, Stopped: 2, Lost: 3, Stale: 4, Stalled: 5,
	Failed: 6, Draining: 7, Starting: 8, Recovering: 9, None: 10,
}

// before reports whether c is told rather than d when both hold.
func (c Cause) before(d Cause) bool { return precedence[c] < precedence[d] }
