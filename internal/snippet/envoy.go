package snippet

import (
	"flag"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/lmp"
)

// envoy is a balancer by Envoy, of TCP connections.
type envoy struct {
	balancer
	Check   choice
	Monitor port
	GRPC    port
}

func (e *envoy) Flags(flags *flag.FlagSet) {
	e.Check = choice{"grpc", []string{"grpc", "tcp"}}
	e.Monitor = lmp.Port
	e.GRPC = contract.GRPCPort
	e.balancer.flags(flags)
	flags.Var(&e.Check, "check", "the `METHOD` of the check: grpc (grpc.health.v1) or tcp (Envoy compares bytes)")
	flags.Var(&e.GRPC, "grpc", "the `PORT` of landmarkd's -grpc, for -check grpc")
	flags.Var(&e.Monitor, "monitor", "the `PORT` of landmarkd's -monitor, for -check tcp")
}

func (e *envoy) Configuration() (string, error) {
	if err := e.validate(); err != nil {
		return "", err
	}
	request, err := e.request()
	if err != nil {
		return "", err
	}
	return write("envoy.yaml.tmpl", struct {
		*envoy
		Request, Serving string
	}{e, request, serving()})
}

// The methods from here on are for the template.

func (e *envoy) Timeout() time.Duration { return answerTimeout }

func (e *envoy) SilenceOut() time.Duration { return e.silenceOut(answerTimeout) }

// CheckPort returns the port of landmarkd that is checked.
func (e *envoy) CheckPort() port {
	if e.Check.word == "tcp" {
		return e.Monitor
	}
	return e.GRPC
}
