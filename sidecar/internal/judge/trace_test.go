package judge

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write what the traces in testdata give as what they are expected to")

// TestTraces plays the scripts in testdata. A script is blocks of commands,
// each followed by a line of ---- and what the commands are expected to print,
// with an empty line between blocks; # begins a comment. What one block does
// stays for the next. The commands are those of trace.play.
func TestTraces(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traces in testdata (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			played := newTrace(t).playAll(string(script))
			switch {
			case played == string(script):
			case *rewrite:
				if err := os.WriteFile(file, []byte(played), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s gives:\n%s", file, played)
			}
		})
	}
}

// trace is a service whose facts a script makes up.
type trace struct {
	t         *testing.T
	policy    Policy
	now       Instant
	declared  []*Declared // of every instance
	instances []*Instance
}

func newTrace(t *testing.T) *trace {
	// The origin is some way off, as facts may be of before the sidecar began.
	return &trace{t: t, policy: DefaultPolicy, now: Instant(100 * time.Hour)}
}

// playAll plays the script and returns it with what it gives.
func (tr *trace) playAll(script string) string {
	var played strings.Builder
	for i, block := range strings.Split(strings.TrimRight(script, "\n"), "\n\n") {
		if i > 0 {
			played.WriteString("\n\n")
		}
		commands, _, expects := strings.Cut(block, "\n----")
		played.WriteString(commands)
		var output strings.Builder
		for line := range strings.SplitSeq(commands, "\n") {
			line, _, _ = strings.Cut(line, "#")
			if words := strings.Fields(line); len(words) > 0 {
				output.WriteString(tr.play(words[0], words[1:]))
			}
		}
		if expects || output.Len() > 0 {
			played.WriteString("\n----\n" + strings.TrimSuffix(output.String(), "\n"))
		}
	}
	return played.String() + "\n"
}

// play does what one command says and returns what it prints.
func (tr *trace) play(verb string, args []string) string {
	a := arguments{tr.t, args}
	switch verb {
	case "policy": // [stale_after=D] [forget_after=D]
		tr.policy.StaleAfter = a.duration("stale_after", tr.policy.StaleAfter)
		tr.policy.ForgetAfter = a.duration("forget_after", tr.policy.ForgetAfter)
	case "declare": // NAME alive|loop within=D [start_within=D] [impact=IMPACT]
		tr.declare(a)
	case "report": // [instance=NAME] [newcomer] [LANDMARK [reached] [age=D] [open] [count=N] [lag=D]]
		tr.report(a)
	case "advance": // D
		tr.now = tr.now.Add(a.parse(args[0]))
	case "disconnect": // [NAME]
		tr.leave(Vacant, args)
	case "goodbye": // [NAME]
		tr.leave(SaidGoodbye, args)
	case "verdict":
		return tr.verdict()
	case "describe":
		return tr.describe()
	default:
		tr.t.Fatalf("no command %q", verb)
	}
	return ""
}

func (tr *trace) declare(a arguments) {
	kinds := map[string]Kind{"alive": KindAlive, "loop": KindLoop}
	impacts := map[string]Impact{
		"": ImpactCritical, "critical": ImpactCritical, "readiness": ImpactReadiness,
		"degrading": ImpactDegrading, "informational": ImpactInformational,
	}
	d := &Declared{
		Name:        a.words[0],
		Kind:        kinds[a.words[1]],
		Impact:      impacts[a.value("impact")],
		Within:      a.duration("within", 0),
		StartWithin: a.duration("start_within", 0),
	}
	if d.Kind == 0 || d.Impact == 0 {
		tr.t.Fatalf("no such kind or impact: %v", a.words)
	}
	tr.declared = append(tr.declared, d)
}

// report changes an instance's facts: those of the landmark that is named, if
// any is, and what each report says by being made. An instance's first report
// says that its landmarks were all made this very moment.
func (tr *trace) report(a arguments) {
	next := Instance{Name: "a", Since: tr.now}
	if name := a.value("instance"); name != "" {
		next.Name = name
	}
	i := tr.index(next.Name)
	if i < 0 {
		i = len(tr.instances)
		tr.instances = append(tr.instances, nil)
		for _, d := range tr.declared {
			next.Landmarks = append(next.Landmarks, Landmark{Declared: d, At: tr.now})
		}
	} else {
		next = *tr.instances[i]
		next.Landmarks = slices.Clone(next.Landmarks)
	}
	next.Presence, next.Heard = Connected, tr.now
	for j := range next.Landmarks {
		if l := &next.Landmarks[j]; slices.Contains(a.words, l.Name) {
			l.Reached = a.has("reached")
			l.At = tr.now.Add(-a.duration("age", 0))
			l.Open = a.has("open")
			l.Lag = a.duration("lag", 0)
			fmt.Sscan(a.value("count"), &l.Count)
		}
	}
	next.Started = next.Started || next.HasStarted()
	next.Newcomer = a.has("newcomer")
	tr.instances[i] = &next
}

// leave ends an instance. One that says goodbye leaves the set, unless it is
// the last.
func (tr *trace) leave(how Presence, args []string) {
	i := tr.index(append(args, "a")[0])
	if how == SaidGoodbye && len(tr.instances) > 1 {
		tr.instances = slices.Delete(tr.instances, i, i+1)
		return
	}
	gone := *tr.instances[i]
	gone.Presence, gone.Since = how, tr.now
	tr.instances[i] = &gone
}

func (tr *trace) index(name string) int {
	return slices.IndexFunc(tr.instances, func(in *Instance) bool { return in.Name == name })
}

// verdict prints the verdict for each aspect, and below it its reason.
func (tr *trace) verdict() string {
	var out strings.Builder
	for a, v := range Evaluate(tr.policy, Service{Instances: tr.instances}, tr.now).Verdicts {
		next := "never"
		if v.Next != Never {
			next = "in " + v.Next.Sub(tr.now).String()
		}
		fmt.Fprintf(&out, "%-9s %s %s, weight %d, failing %d, age %v, next %s\n",
			Aspect(a), v.Status, v.Cause, v.Weight, v.Failing, v.Age(tr.now), next)
		if reason := v.Reason(tr.now); reason != "" {
			fmt.Fprintf(&out, "          %s\n", reason)
		}
	}
	return out.String()
}

// describe prints the landmarks.
func (tr *trace) describe() string {
	states := map[State]string{Unarmed: "unarmed", OK: "ok", Degraded: "degraded", Failing: "failing"}
	var out strings.Builder
	for _, r := range Describe(tr.policy, Service{Instances: tr.instances}, tr.now) {
		fmt.Fprintf(&out, "%s %s, age %v, count %d", r.Name, states[r.State], tr.now.Sub(r.At), r.Count)
		if r.Kind == KindLoop {
			fmt.Fprintf(&out, ", lag %v", r.Lag)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// arguments are the words behind a command's verb: bare ones and key=value.
type arguments struct {
	t     *testing.T
	words []string
}

func (a arguments) has(word string) bool { return slices.Contains(a.words, word) }

func (a arguments) value(key string) string {
	for _, w := range a.words {
		if v, ok := strings.CutPrefix(w, key+"="); ok {
			return v
		}
	}
	return ""
}

func (a arguments) duration(key string, otherwise time.Duration) time.Duration {
	if v := a.value(key); v != "" {
		return a.parse(v)
	}
	return otherwise
}

func (a arguments) parse(duration string) time.Duration {
	d, err := time.ParseDuration(duration)
	if err != nil {
		a.t.Fatal(err)
	}
	return d
}
