package snippet

import (
	"flag"
	"fmt"
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/lmp"
)

// haproxy is a balancer by HAProxy 2.6 or later, of TCP connections.
type haproxy struct {
	balancer
	Check   choice
	Monitor port
	Line    port
	HTTP    port
}

func (h *haproxy) Flags(flags *flag.FlagSet) {
	h.Check = choice{"both", []string{"tcp", "agent", "both", "http"}}
	h.Monitor = lmp.Port
	h.Line = contract.LinePort
	h.HTTP = contract.HTTPPort
	h.balancer.flags(flags)
	flags.Var(&h.Check, "check", "the `METHOD` of the check: tcp (HAProxy compares bytes), agent (the line protocol, which needs landmarkd -line: weights and drains), both (tcp takes over if agent gets no answer), or http (which needs landmarkd -http :PORT: drains, without weights)")
	flags.Var(&h.Monitor, "monitor", "the `PORT` of landmarkd's -monitor, for -check tcp and both")
	flags.Var(&h.Line, "line", "the `PORT` of landmarkd's -line, for -check agent and both")
	flags.Var(&h.HTTP, "http", "the `PORT` of landmarkd's -http, for -check http")
}

func (h *haproxy) Configuration() (string, error) {
	if err := h.validate(); err != nil {
		return "", err
	}
	request, err := h.request()
	if err != nil {
		return "", err
	}
	return write("haproxy.cfg.tmpl", struct {
		*haproxy
		Request, Serving string
		AnswerLength     int
	}{h, request, serving(), lmp.HeaderLength})
}

// The methods from here on are for the template.

func (h *haproxy) Timeout() time.Duration { return answerTimeout }

// HangOut returns the longest time from when landmarkd detects a hang until the server
// is out. An agent check takes it out at once.
func (h *haproxy) HangOut() time.Duration {
	if h.Check.word == "tcp" || h.Check.word == "http" {
		return h.balancer.HangOut()
	}
	return h.Interval
}

func (h *haproxy) SilenceOut() time.Duration { return h.silenceOut(answerTimeout) }

// Server returns a name for the real server, in characters that HAProxy allows.
func (h *haproxy) Server(a netip.AddrPort) string {
	return fmt.Sprintf("%s:%d", a.Addr(), a.Port())
}
