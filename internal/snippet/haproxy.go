package snippet

import (
	"flag"
	"fmt"
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/lmp"
)

// haproxy is a balancer of connections by HAProxy 2.6 or later.
type haproxy struct {
	balancing
	Check   choice
	Monitor port
	Line    port
}

func (h *haproxy) Flags(flags *flag.FlagSet) {
	h.Check = choice{"both", []string{"tcp", "agent", "both"}}
	h.Monitor = lmp.Port
	h.Line = contract.LinePort
	h.balancing.flags(flags)
	flags.Var(&h.Check, "check", "how it is checked: `tcp` (HAProxy compares bytes), agent (it asks for lines, which takes landmarkd -line: weights and drains), or both (bytes guard the lines)")
	flags.Var(&h.Monitor, "monitor", "the `PORT` of landmarkd's -monitor, for -check tcp and both")
	flags.Var(&h.Line, "line", "the `PORT` of landmarkd's -line, for -check agent and both")
}

func (h *haproxy) Configuration() (string, error) {
	if err := h.check(); err != nil {
		return "", err
	}
	question, err := h.question()
	if err != nil {
		return "", err
	}
	return write("haproxy.cfg.tmpl", struct {
		*haproxy
		Question, Serving string
		AnswerLength      int
	}{h, question, serving(), lmp.HeaderLength})
}

// The template's words.

func (h *haproxy) Timeout() time.Duration { return answerTimeout }

// HangOut is how long after landmarkd knows of a hang the server is out, at most.
// An agent says so at once.
func (h *haproxy) HangOut() time.Duration {
	if h.Check.word == "tcp" {
		return h.balancing.HangOut()
	}
	return h.Interval
}

func (h *haproxy) SilenceOut() time.Duration { return h.silenceOut(answerTimeout) }

// Server names a real server, in the letters that HAProxy takes.
func (h *haproxy) Server(a netip.AddrPort) string {
	return fmt.Sprintf("%s:%d", a.Addr(), a.Port())
}
