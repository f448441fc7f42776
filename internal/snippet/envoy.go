package snippet

import (
	"flag"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/lmp"
)

// envoy is a balancer of connections by Envoy.
type envoy struct {
	balancing
	Check   choice
	Monitor port
	GRPC    port
}

func (e *envoy) Flags(flags *flag.FlagSet) {
	e.Check = choice{"grpc", []string{"grpc", "tcp"}}
	e.Monitor = lmp.Port
	e.GRPC = contract.GRPCPort
	e.balancing.flags(flags)
	flags.Var(&e.Check, "check", "how it is checked: `grpc` (grpc.health.v1) or tcp (Envoy compares bytes)")
	flags.Var(&e.GRPC, "grpc", "the `PORT` of landmarkd's -grpc, for -check grpc")
	flags.Var(&e.Monitor, "monitor", "the `PORT` of landmarkd's -monitor, for -check tcp")
}

func (e *envoy) Configuration() (string, error) {
	if err := e.check(); err != nil {
		return "", err
	}
	question, err := e.question()
	if err != nil {
		return "", err
	}
	return write("envoy.yaml.tmpl", struct {
		*envoy
		Question, Serving string
	}{e, question, serving()})
}

// The template's words.

func (e *envoy) Timeout() time.Duration { return answerTimeout }

func (e *envoy) SilenceOut() time.Duration { return e.silenceOut(answerTimeout) }

// AskedPort is where landmarkd is asked.
func (e *envoy) AskedPort() port {
	if e.Check.word == "tcp" {
		return e.Monitor
	}
	return e.GRPC
}
