package judge

import "github.com/landmark-health/landmark/internal/contract"

// Aspect is the question that a verdict answers.
type Aspect uint8

// The aspects, which are those of kubelet's probes.
const (
	Readiness Aspect = iota // can it take new work?
	Liveness                // does it run, or does it need a restart?
	Startup                 // has it started?

	Aspects = len(contract.Aspects)
)

// String returns the aspect's name, as used in service names.
func (a Aspect) String() string { return contract.Aspects[a] }

// Status is what a load balancer gets, in the terms of grpc.health.v1.
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

// The causes, numbered as in the monitoring protocol.
const (
	None        Cause = 0
	Starting    Cause = 1  // a landmark was not reached yet, or a process is still missing
	Stalled     Cause = 2  // an Alive, Deadline or Loop is failing
	Failed      Cause = 3  // a Level or Condition is failing
	Lost        Cause = 4  // a connection ended without a goodbye, or a process without STOPPING=1
	Stopped     Cause = 5  // the program said goodbye, or STOPPING=1, and has ended
	Draining    Cause = 6  // taken out on purpose; open connections may finish
	Stale       Cause = 7  // a process is connected or exists, but silent or stopped; or the host was not read
	Unreported  Cause = 8  // configured, or there before landmarkd restarted, and has not reported
	Recovering  Cause = 9  // healthy, but not for long enough yet
	UnknownName Cause = 10 // no service has this name
)

var causeNames = [...]string{
	"none", "starting", "stalled", "failed", "lost", "stopped",
	"draining", "stale", "unreported", "recovering", "unknown service",
}

// String returns the cause in lower case, as shown to people.
func (c Cause) String() string {
	if int(c) < len(causeNames) {
		return causeNames[c]
	}
	return "invalid"
}

// precedence ranks the causes. When several hold, the verdict has the one with
// the lowest rank. So a drain never hides a stalled landmark.
var precedence = [...]uint8{
	UnknownName: 0, Unreported: 1, Stopped: 2, Lost: 3, Stale: 4, Stalled: 5,
	Failed: 6, Draining: 7, Starting: 8, Recovering: 9, None: 10,
}

// precedes reports whether a verdict has c rather than d when both hold.
func (c Cause) precedes(d Cause) bool { return precedence[c] < precedence[d] }
