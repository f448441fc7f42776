package snippet

import (
	"errors"
	"flag"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
)

const (
	// startFor is how long a program may take to start, before kubelet restarts it.
	startFor = 5 * time.Minute

	// restartAfter is how long a program has to fail before kubelet restarts it. It
	// is longer than kubelet takes to restart landmarkd, which must not be the
	// program's end as well.
	restartAfter = 30 * time.Second

	// drainFor is how long a drained program is left to the balancers and to its
	// connections before it is stopped, and stopFor is how long it then has.
	drainFor = 10 * time.Second
	stopFor  = 30 * time.Second

	// maxLabel is how long a name may be in Kubernetes.
	maxLabel = 63
)

// kubernetes is a Deployment whose pods have landmarkd beside the program.
type kubernetes struct {
	asking
	GRPC port
}

func (k *kubernetes) Flags(flags *flag.FlagSet) {
	k.GRPC = contract.GRPCPort
	k.asking.flags(flags)
	flags.Var(&k.GRPC, "grpc", "the `PORT` of landmarkd's -grpc")
}

func (k *kubernetes) Configuration() (string, error) {
	if err := k.check(); err != nil {
		return "", err
	}
	if err := k.checkWholeSeconds("kubelet"); err != nil {
		return "", err
	}
	if k.Interval > restartAfter {
		return "", errors.New("-interval is more than 30s, within which a hang is to be noticed")
	}
	return write("kubernetes.yaml.tmpl", k)
}

// The template's words.

// Name is the service's name as Kubernetes takes it for its own things.
func (k *kubernetes) Name() string {
	name := strings.NewReplacer(".", "-", "_", "-").Replace(strings.ToLower(string(k.Service)))
	return strings.TrimRight(name[:min(len(name), maxLabel)], "-")
}

func (k *kubernetes) Timeout() time.Duration { return answerTimeout }

func (k *kubernetes) RestartAfter() time.Duration {
	return time.Duration(k.RestartFailures()) * k.Interval
}

// StartFailures and RestartFailures are how many checks take that long.
func (k *kubernetes) StartFailures() int   { return int((startFor + k.Interval - 1) / k.Interval) }
func (k *kubernetes) RestartFailures() int { return int((restartAfter + k.Interval - 1) / k.Interval) }

func (k *kubernetes) DrainFor() time.Duration { return drainFor }
func (k *kubernetes) Grace() time.Duration    { return drainFor + stopFor }
