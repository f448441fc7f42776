package registry

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

var rewrite = flag.Bool("rewrite", false, "write what the traces in testdata give as what they are expected to")

// TestTraces plays the scripts in testdata under fake time. They are written
// as the judge's traces are: blocks of commands, each followed by a line of
// ---- and what is expected, an empty line between blocks. Beside what a
// command prints, that is whatever happened meanwhile, each with its time
// since the start. The commands are those of trace.play.
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
			var played string
			inBubble(t, time.Second, func(t *testing.T, r *Registry) {
				ctx, stop := context.WithCancel(t.Context())
				tr := &trace{t: t, ctx: ctx, registry: r, began: time.Now(), sessions: map[string]*agent{}}
				defer tr.background.Wait()
				defer stop()
				played = tr.playAll(string(script))
			})
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

// trace is a registry that a script feeds and asks.
type trace struct {
	t          *testing.T
	ctx        context.Context // of what goes on in the background
	registry   *Registry
	began      time.Time
	sessions   map[string]*agent
	looked     []HostLandmark // by the last configure
	background sync.WaitGroup

	mu     sync.Mutex
	events []event // since the last command
}

// event is something that happened of itself.
type event struct {
	at   time.Duration // since the start
	what string
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
				output.WriteString(tr.happened())
			}
		}
		if expects || output.Len() > 0 {
			played.WriteString("\n----\n" + strings.TrimSuffix(output.String(), "\n"))
		}
	}
	return played.String() + "\n"
}

// play does what one command says and returns what it prints. A NAME is what
// can be asked for; "all" is all services.
func (tr *trace) play(verb string, args []string) string {
	a := arguments{tr.t, args}
	switch verb {
	case "open": // SESSION SERVICE/INSTANCE [uid=N] [alive] [within=D]
		return tr.open(a)
	case "configure": // SERVICE [instances=none] [vip] [queue], of its host; nothing for no service at all
		tr.configure(a)
	case "see": // SERVICE [vip] [queue=D]: of what is looked at, what is well, and how long a connection waits
		tr.registry.ReportHost(args[0], tr.seen(a))
	case "report": // SESSION [reached] [age=D] [open] [lag=D] [draining]; each report of a loop that is not open has one more answer
		tr.session(a).session.Drain(a.has("draining"))
		fact := Fact{Reached: a.has("reached"), Age: a.duration("age"), Open: a.has("open"), Lag: a.duration("lag"), Count: tr.session(a).fact.Count}
		if !fact.Open {
			fact.Count++
		}
		return failure(tr.session(a).report(fact))
	case "lost": // SESSION
		tr.session(a).session.Disconnect()
	case "goodbye": // SESSION
		tr.session(a).session.Goodbye()
	case "advance": // D [SESSION...], which report well meanwhile
		var living []*agent
		for _, name := range args[1:] {
			living = append(living, tr.sessions[name])
		}
		live(a.parse(args[0]), living...)
	case "look": // NAME [max_age=D]
		answer, settled := tr.registry.Lookup(name(args[0]), a.duration("max_age"))
		return tr.answer(args[0], answer, settled)
	case "ask": // NAME [max_age=D], which is told once there is an answer
		tr.background.Go(func() {
			answer, err := tr.registry.Await(tr.ctx, name(args[0]), a.duration("max_age"))
			if err == nil {
				tr.note(tr.answer("checker of "+args[0], answer, true))
			}
		})
	case "watch": // NAME
		tr.watch(args[0])
	case "drain": // SERVICE [uid=N]
		return operated(tr.registry.Drain(args[0], a.uid()))
	case "drain_until_gone": // SERVICE [uid=N]
		return operated(tr.registry.DrainUntilGone(args[0], a.uid()))
	case "resume": // SERVICE [uid=N]
		return operated(tr.registry.Resume(args[0], a.uid()))
	case "drain_all":
		tr.registry.DrainAll()
	case "restore": // SERVICE [uid=N] [drained] [until_gone] INSTANCE[:lost=D|:stopped=D|:newcomer|:leaving]..., several apart by "/"
		tr.registry.Restore(a.memberships(), true)
	case "begin":
		tr.registry.BeginGrace()
	case "memberships":
		return tr.memberships()
	case "forget": // SERVICE [uid=N]
		return failure(tr.registry.Forget(args[0], a.uid()))
	case "history": // SERVICE
		return tr.history(args[0])
	case "names":
		return strings.Join(tr.registry.Names(), " ") + "\n"
	default:
		tr.t.Fatalf("no command %q", verb)
	}
	return ""
}

// configure has one service expected, with landmarks of its host that were just
// read: the address is there, and no connection waits.
func (tr *trace) configure(a arguments) {
	policies, seen := map[string]Policy{}, map[string]HostReport{}
	tr.looked = nil
	if len(a.words) > 0 {
		p := DefaultPolicy
		p.Quorum.NoneNeeded = a.value("instances") == "none"
		if a.has("vip") {
			p.Host = append(p.Host, HostLandmark{Declared: judge.Declared{Name: "vip", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}})
		}
		if a.has("queue") {
			p.Host = append(p.Host, HostLandmark{Declared: judge.Declared{Name: "queue", Kind: judge.KindDeadline, Impact: judge.ImpactCritical, Within: time.Second}})
		}
		tr.looked, policies[a.words[0]] = p.Host, p
		seen[a.words[0]] = tr.seen(arguments{tr.t, []string{"", "vip"}})
	}
	tr.registry.Configure(policies, seen)
}

// seen is what is seen of what was last configured to be looked at.
func (tr *trace) seen(a arguments) HostReport {
	var seen HostReport
	for _, l := range tr.looked {
		fact := Fact{Reached: true, Met: a.has("vip")}
		if waits := a.value("queue"); l.Kind == judge.KindDeadline && waits != "" {
			fact.Open, fact.Pending, fact.Age, fact.Reason = true, 1, a.parse(waits), "a connection has not been accepted"
		}
		seen.Facts = append(seen.Facts, fact)
	}
	return seen
}

func (tr *trace) session(a arguments) *agent {
	session := tr.sessions[a.words[0]]
	if session == nil {
		tr.t.Fatalf("no session %q", a.words[0])
	}
	return session
}

func (tr *trace) open(a arguments) string {
	service, instance, _ := strings.Cut(a.words[1], "/")
	peer := AgentID{Service: service, Instance: instance, UID: a.uid()}
	landmark := mainLoop
	if a.has("alive") {
		landmark.Kind = judge.KindAlive
	}
	if within := a.duration("within"); within > 0 {
		landmark.Within = within
	}
	session := &agent{t: tr.t}
	session.notice = func(what string) { tr.note("session " + a.words[0] + ": " + what) }
	tr.sessions[a.words[0]] = session
	return failure(session.open(tr.registry, peer, landmark))
}

func (tr *trace) watch(what string) {
	sub := tr.registry.Subscribe(name(what))
	tr.background.Go(func() {
		defer sub.Close()
		for {
			select {
			case <-sub.Changed():
				tr.notice("news of " + what)
			case <-tr.ctx.Done():
				return
			}
		}
	})
}

// recordChange notes that something happened.
func (tr *trace) note(what string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.events = append(tr.events, event{time.Since(tr.began), strings.TrimSuffix(what, "\n")})
}

// notice notes news, once at each instant: whether several are told together is
// for who waits for them to chance upon.
func (tr *trace) notice(news string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if e := (event{time.Since(tr.began), news}); !slices.Contains(tr.events, e) {
		tr.events = append(tr.events, e)
	}
}

// happened waits until all that a command set off has happened, and prints it:
// what happened at one instant in the order of the alphabet.
func (tr *trace) happened() string {
	synctest.Wait()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	slices.SortFunc(tr.events, func(e, f event) int {
		return cmp.Or(cmp.Compare(e.at, f.at), cmp.Compare(e.what, f.what))
	})
	var printed strings.Builder
	for _, e := range tr.events {
		fmt.Fprintf(&printed, "at %v %s\n", e.at, e.what)
	}
	tr.events = nil
	return printed.String()
}

// answer prints an answer, and below it its reason.
func (tr *trace) answer(of string, a Answer, settled bool) string {
	printed := fmt.Sprintf("%s: %s %s, weight %d, failing %d, age %v, stood %v, changes %d",
		of, a.Status, a.Cause, a.Weight, a.Failing, a.Age, a.StatusAge, a.Changes)
	if !settled {
		printed += ", not settled"
	}
	if reason := a.Reason(); reason != "" {
		printed += "\n    " + reason
	}
	return printed + "\n"
}

// history prints each change: when it was, what was told from then on and why,
// and the landmarks behind it.
func (tr *trace) history(service string) string {
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

func operated(changed bool, err error) string {
	if err != nil {
		return failure(err)
	}
	return fmt.Sprintf("changed: %v\n", changed)
}

func name(word string) []byte {
	if word == "all" {
		return nil
	}
	return []byte(word)
}

func failure(err error) string {
	if err == nil {
		return ""
	}
	return "error: " + err.Error() + "\n"
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

// uid is that of a user who is nobody special, unless the words say otherwise.
func (a arguments) uid() (uid uint32) {
	if v := a.value("uid"); v != "" {
		fmt.Sscan(v, &uid)
		return uid
	}
	return 1000
}

func (a arguments) duration(key string) time.Duration {
	if v := a.value(key); v != "" {
		return a.parse(v)
	}
	return 0
}

func (a arguments) parse(duration string) time.Duration {
	d, err := time.ParseDuration(duration)
	if err != nil {
		a.t.Fatal(err)
	}
	return d
}
