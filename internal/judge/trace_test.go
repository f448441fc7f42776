package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/tracetest"
)

// TestTraces plays the scripts in testdata, in the format of tracetest. See
// trace.play for the commands.
func TestTraces(t *testing.T) {
	tracetest.Run(t, func(t *testing.T, script string) string {
		tr := newTrace(t)
		return tracetest.Play(script, func(line string) string {
			words := strings.Fields(line)
			return tr.play(words[0], &arguments{t, line, words[1:]})
		})
	})
}

// play runs one command and returns its output.
func (tr *trace) play(verb string, a *arguments) string {
	defer a.done()
	switch verb {
	case "policy": // [stale_after=D] [forget_after=D] [instances=all|any|none|N] [fall_after=D] [recover_after=D] [slow_start=D]
		tr.setPolicy(a)
	case "declare": // NAME KIND [within=D] [start_within=D] [impact=IMPACT] [degrade_at=X] [fail_at=X] [below] [ttl=D]
		tr.declare(a)
	case "report": // [instance=NAME] [newcomer] [draining] [LANDMARK... FACTS]; see facts
		tr.report(a)
	case "look": // as declare, for a landmark of the host
		tr.addHostLandmark(a)
	case "see": // [LANDMARK... FACTS], for landmarks of the host; see facts
		tr.readHost(a)
	case "disconnect": // [NAME]
		tr.leave(Vacant, a)
	case "goodbye": // [NAME]
		tr.leave(SaidGoodbye, a)
	case "drain": // by an operator
		tr.service.Drained = true
		tr.change()
	case "resume":
		tr.service.Drained = false
		tr.change()
	case "advance": // D
		tr.advance(a.parse(a.word()))
	case "watch": // D: as advance, and print the changes
		return tr.watch(a.parse(a.word()))
	case "verdict":
		return tr.verdict()
	case "describe":
		return tr.describe()
	default:
		tr.t.Fatalf("no command %q", verb)
	}
	return ""
}

// verdict prints the verdict for each aspect, with its reason.
func (tr *trace) verdict() string {
	var out strings.Builder
	for a, v := range tr.result.Verdicts {
		next := "never"
		if v.Next != Never {
			next = "in " + v.Next.Sub(tr.now).String()
		}
		fmt.Fprintf(&out, "%-9s %s %s, weight %d, failing %d, age %v, next %s\n%s",
			Aspect(a), v.Status, v.Cause, v.Weight, v.Failing, v.Age(tr.now), next, tr.reason(v))
	}
	return out.String()
}

// watch lets time pass and prints each change of a status, a cause or a weight, with
// the time since its beginning.
func (tr *trace) watch(d time.Duration) string {
	var out strings.Builder
	began, before := tr.now, tr.result
	tr.pass(d, func() {
		for a, v := range tr.result.Verdicts {
			if was := before.Verdicts[a]; was.Status == v.Status && was.Cause == v.Cause && was.Weight == v.Weight {
				continue
			}
			fmt.Fprintf(&out, "%v: %s %s %s, weight %d\n%s",
				tr.now.Sub(began), Aspect(a), v.Status, v.Cause, v.Weight, tr.reason(v))
		}
		before = tr.result
	})
	return out.String()
}

func (tr *trace) reason(v Verdict) string {
	if reason := v.Reason(tr.now); reason != "" {
		return "          " + reason + "\n"
	}
	return ""
}

// describe prints the landmarks.
func (tr *trace) describe() string {
	states := map[State]string{Unarmed: "unarmed", OK: "ok", Degraded: "degraded", Failing: "failing"}
	var out strings.Builder
	for _, r := range Describe(tr.policy, tr.service, tr.now) {
		fmt.Fprintf(&out, "%s %s, age %v, count %d", r.Name, states[r.State], tr.now.Sub(r.At), r.Count)
		switch r.Kind {
		case KindDeadline:
			fmt.Fprintf(&out, ", pending %d", r.Pending)
		case KindLoop:
			fmt.Fprintf(&out, ", lag %v", r.Lag)
		case KindLevel:
			fmt.Fprintf(&out, ", value %g", r.Value)
		}
		out.WriteString("\n")
	}
	return out.String()
}
