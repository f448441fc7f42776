package judge

import "github.com/landmark-health/landmark/internal/contract"

// Aspect is the question that a verdict answers.
type Aspect uint8

// The aspects, as kubelet's probes have them.
const (
	Readiness Aspect = iota // may it be sent work?
	Liveness                // is it beyond help, short of a restart?
	Startup                 // has it started?

	Aspects = len(contract.Aspects)
)

// String returns the aspect's name, as it stands in the names of services.
func (a Aspect) String() string { return contract.Aspects[a] }
