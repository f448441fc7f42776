package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/tracetest"
)

// TestTraces plays the scripts in testdata, in the format of tracetest, under fake
// time. After what a command prints come the events that it caused, each with its
// time since the start. The commands are those of trace.play.
func TestTraces(t *testing.T) {
	tracetest.Run(t, func(t *testing.T, script string) (played string) {
		inBubble(t, time.Second, func(t *testing.T, r *Registry) {
			ctx, stop := context.WithCancel(t.Context())
			tr := &trace{t: t, ctx: ctx, registry: r, began: time.Now(), sessions: map[string]*agent{}}
			defer tr.background.Wait()
			defer stop()
			played = tracetest.Play(script, func(line string) string {
				words := strings.Fields(line)
				return tr.play(words[0], words[1:]) + tr.takeEvents()
			})
		})
		return played
	})
}

// trace is a registry to which a script reports, and which it checks.
type trace struct {
	t          *testing.T
	ctx        context.Context // of what goes on in the background
	registry   *Registry
	began      time.Time
	sessions   map[string]*agent
	host       []HostLandmark // of the last configure
	background sync.WaitGroup

	mu     sync.Mutex
	events []event // since the last command; guarded by mu
}

// event is something that no command printed.
type event struct {
	at   time.Duration // since the start
	what string
}

// play runs one command and returns what it prints. A NAME is a service's or
// aspect's name, or "all" for all services.
func (tr *trace) play(verb string, args []string) string {
	a := arguments{tr.t, args}
	switch verb {
	case "open": // SESSION SERVICE/INSTANCE [uid=N] [alive] [within=D]
		return tr.open(a)
	case "configure": // SERVICE [instances=none] [vip] [queue], with these landmarks of its host; nothing for no service at all
		tr.configure(a)
	case "see": // SERVICE [vip] [queue=D]: reports the landmarks of the host, the address if it is there, and for how long a connection waits
		tr.registry.ReportHost(args[0], tr.hostReport(a))
	case "report": // SESSION [reached] [age=D] [open] [lag=D] [draining]; without open a loop has answered once more
		tr.session(a).session.Drain(a.has("draining"))
		fact := Fact{Reached: a.has("reached"), Age: a.duration("age"), Open: a.has("open"), Lag: a.duration("lag"), Count: tr.session(a).fact.Count}
		if !fact.Open {
			fact.Count++
		}
		return errorLine(tr.session(a).report(fact))
	case "lost": // SESSION
		tr.session(a).session.Disconnect()
	case "exit": // SESSION, whose process ends; "lost" or "goodbye" follows when that is handled
		tr.session(a).exited.Store(true)
	case "goodbye": // SESSION
		tr.session(a).session.Goodbye()
	case "advance": // D [SESSION...], which pass meanwhile
		var passing []*agent
		for _, name := range args[1:] {
			passing = append(passing, tr.sessions[name])
		}
		passFor(a.parse(args[0]), passing...)
	case "look": // NAME [max_age=D], a lookup
		answer, isFinal := tr.registry.Lookup(name(args[0]), a.duration("max_age"))
		return answerLines(args[0], answer, isFinal)
	case "ask": // NAME [max_age=D], an await in the background
		tr.background.Go(func() {
			answer, err := tr.registry.Await(tr.ctx, name(args[0]), a.duration("max_age"))
			if err == nil {
				tr.addEvent(answerLines("checker of "+args[0], answer, true))
			}
		})
	case "watch": // NAME
		tr.watch(args[0])
	case "drain": // SERVICE [uid=N]
		return orderLine(tr.registry.Drain(args[0], a.uid()))
	case "drain_until_gone": // SERVICE [uid=N]
		return orderLine(tr.registry.DrainUntilGone(args[0], a.uid()))
	case "resume": // SERVICE [uid=N]
		return orderLine(tr.registry.Resume(args[0], a.uid()))
	case "drain_all":
		tr.registry.DrainAll()
	case "restore": // SERVICE [uid=N] [drained] [until_gone] INSTANCE[:lost=D|:stopped=D|:newcomer|:leaving]..., with "/" between services
		tr.registry.Restore(a.memberships(), true)
	case "begin":
		tr.registry.BeginGrace()
	case "memberships":
		return membershipLines(tr.registry)
	case "forget": // SERVICE [uid=N]
		return errorLine(tr.registry.Forget(args[0], a.uid()))
	case "history": // SERVICE
		return tr.historyLines(args[0])
	case "names":
		return strings.Join(tr.registry.Names(), " ") + "\n"
	default:
		tr.t.Fatalf("unknown command %q", verb)
	}
	return ""
}

// configure configures one service, or none. Its host has just been read: the
// address is there, and no connection waits.
func (tr *trace) configure(a arguments) {
	policies, hosts := map[string]Policy{}, map[string]HostReport{}
	tr.host = nil
	if len(a.words) > 0 {
		p := DefaultPolicy
		p.Quorum.NoneNeeded = a.value("instances") == "none"
		if a.has("vip") {
			p.Host = append(p.Host, HostLandmark{Declared: judge.Declared{Name: "vip", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}})
		}
		if a.has("queue") {
			p.Host = append(p.Host, HostLandmark{Declared: judge.Declared{Name: "queue", Kind: judge.KindDeadline, Impact: judge.ImpactCritical, Within: time.Second}})
		}
		tr.host, policies[a.words[0]] = p.Host, p
		hosts[a.words[0]] = tr.hostReport(arguments{tr.t, []string{"", "vip"}})
	}
	tr.registry.Configure(policies, hosts)
}

// hostReport returns a report of the host landmarks that are configured.
func (tr *trace) hostReport(a arguments) HostReport {
	_, real := tr.registry.clock.Read()
	report := HostReport{ReadAt: real}
	for _, l := range tr.host {
		fact := Fact{Reached: true, Met: a.has("vip")}
		if waits := a.value("queue"); l.Kind == judge.KindDeadline && waits != "" {
			fact.Open, fact.Pending, fact.Age, fact.Reason = true, 1, a.parse(waits), "a connection has not been accepted"
		}
		report.Facts = append(report.Facts, fact)
	}
	return report
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
	landmark := mainLoop
	if a.has("alive") {
		landmark.Kind = judge.KindAlive
	}
	if within := a.duration("within"); within > 0 {
		landmark.Within = within
	}
	session := &agent{t: tr.t}
	session.observe = func(what string) { tr.addEvent("session " + a.words[0] + ": " + what) }
	tr.sessions[a.words[0]] = session
	return errorLine(session.open(tr.registry, AgentID{Service: service, Instance: instance, UID: a.uid()}, landmark))
}

func (tr *trace) watch(what string) {
	sub := tr.registry.Subscribe(name(what))
	tr.background.Go(func() {
		defer sub.Close()
		for {
			select {
			case <-sub.Changed():
				tr.addEventOnce("news of " + what)
			case <-tr.ctx.Done():
				return
			}
		}
	})
}

func (tr *trace) addEvent(what string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.events = append(tr.events, event{time.Since(tr.began), strings.TrimSuffix(what, "\n")})
}

// addEventOnce adds the event unless it is there for this instant already: how often
// a watcher is woken at one instant is up to the scheduler.
func (tr *trace) addEventOnce(what string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if e := (event{time.Since(tr.began), what}); !slices.Contains(tr.events, e) {
		tr.events = append(tr.events, e)
	}
}

// takeEvents waits until all that a command caused has happened, and returns it: by
// time, and at one instant in alphabetical order.
func (tr *trace) takeEvents() string {
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
