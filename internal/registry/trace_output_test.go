package registry

import (
	"fmt"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// answerLines prints an answer, and below it its reason.
func answerLines(what string, a Answer, isFinal bool) string {
	printed := fmt.Sprintf("%s: %s %s, weight %d, failing %d, age %v, status age %v, changes %d",
		what, a.Status, a.Cause, a.Weight, a.Failing, a.Age, a.StatusAge, a.Changes)
	if !isFinal {
		printed += ", not settled"
	}
	if reason := a.Reason(); reason != "" {
		printed += "\n    " + reason
	}
	return printed + "\n"
}

// historyLines prints each change of the service: when it was, the verdicts from
// then on with their reason, and the landmarks that were not OK.
func (tr *trace) historyLines(service string) string {
	changes, known := tr.registry.History(service)
	if !known {
		return service + " is not known\n"
	}
	var printed strings.Builder
	for _, c := range changes {
		ready, alive := c.Verdicts[judge.Readiness], c.Verdicts[judge.Liveness]
		fmt.Fprintf(&printed, "at %v %s %s, weight %d, liveness %s\n", time.Since(tr.began)-c.Age, ready.Status, ready.Cause, ready.Weight, alive.Status)
		if ready.Reason != "" {
			fmt.Fprintf(&printed, "    %s\n", ready.Reason)
		}
		for _, l := range c.Landmarks {
			fmt.Fprintf(&printed, "    %s: state %d, age %v\n", l.Name, l.State, l.Age)
		}
	}
	return printed.String()
}

// membershipLines prints what survives a restart of the sidecar.
func membershipLines(r *Registry) string {
	var printed strings.Builder
	all, _ := r.Memberships()
	for _, m := range all {
		printed.WriteString(m.Service)
		if m.Owned {
			fmt.Fprintf(&printed, " uid=%d", m.UID)
		}
		if m.Drain != nil {
			fmt.Fprintf(&printed, " drained by %d, until gone %v", m.Drain.By, m.Drain.UntilGone)
		}
		for _, i := range m.Members {
			fmt.Fprintf(&printed, " %s", i.Instance)
			if i.State != MemberPresent {
				fmt.Fprintf(&printed, ":%s=%v", map[MemberState]string{MemberLost: "lost", MemberStopped: "stopped"}[i.State], i.Away.Round(time.Microsecond))
			}
			if i.Newcomer {
				printed.WriteString(":newcomer")
			}
			if i.Leaving {
				printed.WriteString(":leaving")
			}
		}
		printed.WriteString("\n")
	}
	return printed.String()
}

// orderLine prints the result of an operator's order.
func orderLine(changed bool, err error) string {
	if err != nil {
		return errorLine(err)
	}
	return fmt.Sprintf("changed: %v\n", changed)
}

func errorLine(err error) string {
	if err == nil {
		return ""
	}
	return "error: " + err.Error() + "\n"
}
