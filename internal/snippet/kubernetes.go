package snippet

import (
	"errors"
	"flag"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/lmp"
)

const (
	// startFor is how long a program may take to start before kubelet restarts it.
	startFor = 5 * time.Minute

	// restartAfter is how long a program must fail before kubelet restarts it. It is
	// longer than a restart of landmarkd, which must not restart the program.
	restartAfter = 30 * time.Second

	// drainFor is how long balancers and connections have between the drain and the
	// stop of a program, and stopFor is how long the program has to stop.
	drainFor = 10 * time.Second
	stopFor  = 30 * time.Second

	// maxLabel is the length of the longest name in Kubernetes.
	maxLabel = 63
)

// kubernetes is a Deployment whose pods have landmarkd beside the program.
type kubernetes struct {
	probe
	GRPC port
}

func (k *kubernetes) Flags(flags *flag.FlagSet) {
	k.GRPC = contract.GRPCPort
	k.probe.flags(flags)
	flags.Var(&k.GRPC, "grpc", "the `PORT` of landmarkd's -grpc")
}

func (k *kubernetes) Configuration() (string, error) {
	if err := k.validate(); err != nil {
		return "", err
	}
	if err := k.validateWholeSeconds("kubelet"); err != nil {
		return "", err
	}
	if k.Interval > restartAfter {
		return "", errors.New("-interval is more than 30s, after which kubelet must restart a program that hangs")
	}
	return write("kubernetes.yaml.tmpl", k)
}

// The methods from here on are for the template.

// Name returns the service's name in the form of a Kubernetes name.
func (k *kubernetes) Name() string {
	name := strings.NewReplacer(".", "-", "_", "-").Replace(strings.ToLower(string(k.Service)))
	return strings.TrimRight(name[:min(len(name), maxLabel)], "-")
}

// Monitor returns the default port of landmarkd's -monitor.
func (k *kubernetes) Monitor() int { return lmp.Port }

func (k *kubernetes) Timeout() time.Duration { return answerTimeout }

func (k *kubernetes) RestartAfter() time.Duration {
	return time.Duration(k.RestartFailures()) * k.Interval
}

// StartFailures and RestartFailures return how many checks take that long.
func (k *kubernetes) StartFailures() int   { return int((startFor + k.Interval - 1) / k.Interval) }
func (k *kubernetes) RestartFailures() int { return int((restartAfter + k.Interval - 1) / k.Interval) }

func (k *kubernetes) DrainFor() time.Duration { return drainFor }
func (k *kubernetes) Grace() time.Duration    { return drainFor + stopFor }
