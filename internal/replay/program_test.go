package replay

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/recorder"
	"github.com/landmark-health/landmark/internal/registry"
)

// memory is a journal in memory.
type memory struct {
	mu       sync.Mutex
	lines    []journal.Line // guarded by mu
	epoch    uint64         // guarded by mu
	needFull chan struct{}
}

func newMemory() *memory {
	m := &memory{needFull: make(chan struct{}, 1)}
	m.lines = append(m.lines, journal.Line{Type: journal.TypeJournal, Time: time.Now(), Journal: &journal.Header{Format: 1, Run: "r"}})
	return m
}

func (m *memory) Write(l journal.Line) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.Time, l.Seq = time.Now(), uint64(len(m.lines)-1)
	m.lines = append(m.lines, l)
}

func (m *memory) Epoch() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch
}

// rotate begins a new epoch, as a new file does.
func (m *memory) rotate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	select {
	case m.needFull <- struct{}{}:
	default:
	}
}

func (m *memory) Forget(string)             {}
func (m *memory) NeedFull() <-chan struct{} { return m.needFull }
func (m *memory) HalfFull() bool            { return false }

func (m *memory) Entries(string, time.Time) []journal.Entry { return nil }

func linesOf(lines []journal.Line) iter.Seq2[journal.Line, *journal.Problem] {
	return func(yield func(journal.Line, *journal.Problem) bool) {
		for _, l := range lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// link is the way to a process that takes no commands.
type link struct{ ended bool }

func (*link) GetState(uint64) {}
func (l *link) End(error)     { l.ended = true }
func (*link) CaughtUp() bool  { return true }
func (*link) HasEnded() bool  { return false }

// program is a process of random behaviour.
type program struct {
	rand     *rand.Rand
	session  *registry.Session
	link     *link
	declared []judge.Declared
	facts    []registry.Fact
	at       []time.Time // when each landmark was last reached
	created  time.Time
}

var services = []string{"epg", "guide"}

// world is a registry with programs, of which the recorder writes a journal.
type world struct {
	t        *testing.T
	rand     *rand.Rand
	clock    *clock.Clock
	registry *registry.Registry
	journal  *memory
	programs []*program
	policies map[string]registry.Policy
	number   int
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func (w *world) declare() (d []judge.Declared) {
	r := w.rand
	kinds := []judge.Kind{judge.KindLoop, judge.KindAlive, judge.KindDeadline, judge.KindCondition, judge.KindLevel}
	for i := range 1 + r.IntN(4) {
		k := pick(r, kinds...)
		l := judge.Declared{Name: fmt.Sprintf("%d %d", k, i), Kind: k, Impact: pick(r, judge.ImpactCritical, judge.ImpactCritical, judge.ImpactReadiness, judge.ImpactDegrading, judge.ImpactInformational)}
		switch k {
		case judge.KindCondition:
			l.TTL = pick(r, 0, time.Second)
		case judge.KindLevel:
			l.Limits = pick(r, judge.Limits{DegradeAt: 50, FailAt: 100}, judge.Limits{DegradeAt: 5, FailAt: 2})
		default:
			l.Within = pick(r, 300*time.Millisecond, time.Second, 2*time.Second)
		}
		l.StartWithin = pick(r, 0, 0, time.Second)
		d = append(d, l)
	}
	return d
}

// start starts a process. Its name may be that of another one, unless unique is set.
func (w *world) start(unique bool) {
	w.number++
	name := fmt.Sprint("i", w.number)
	if !unique {
		name = pick(w.rand, name, "a", "b")
	}
	p := &program{rand: w.rand, link: new(link), declared: w.declare(), created: time.Now()}
	id := registry.AgentID{Service: pick(w.rand, services...), Instance: name}
	s, err := w.registry.Open(id, p.link)
	if err != nil {
		w.t.Fatal(err)
	}
	p.session = s
	if err := s.Declare(p.declared); err != nil {
		w.t.Fatal(err)
	}
	p.facts, p.at = make([]registry.Fact, len(p.declared)), make([]time.Time, len(p.declared))
	for i := range p.at {
		p.at[i] = p.created
	}
	w.programs = append(w.programs, p)
	w.clock.AddSource()
	p.report()
}

// work changes what the program would report.
func (p *program) work() {
	for i := range p.declared {
		f := &p.facts[i]
		if p.rand.IntN(3) == 0 {
			continue // it hangs there
		}
		f.Reached, f.Count, p.at[i] = true, f.Count+1, time.Now()
		switch p.declared[i].Kind {
		case judge.KindLoop:
			f.Open = p.rand.IntN(2) == 0
			f.Lag = time.Duration(p.rand.IntN(1200)) * time.Millisecond
		case judge.KindDeadline:
			f.Open = p.rand.IntN(2) == 0
		case judge.KindCondition:
			f.Met = p.rand.IntN(6) != 0
			f.Reason = fmt.Sprint(p.rand.IntN(100))
		case judge.KindLevel:
			f.Value = float64(p.rand.IntN(120))
		case judge.KindAlive:
			f.Triggered = p.rand.IntN(20) == 0
		}
	}
}

func (p *program) report() {
	facts := make([]registry.Fact, len(p.facts))
	for i, f := range p.facts {
		f.Age = time.Since(p.at[i])
		if p.rand.IntN(2) == 0 {
			f.Age += time.Microsecond // as a rounded one
		}
		facts[i] = f
	}
	_ = p.session.Report(facts, 0)
}

func (w *world) stop(i int) {
	p := w.programs[i]
	if w.rand.IntN(2) == 0 {
		p.session.Goodbye()
	} else {
		p.session.Disconnect()
	}
	w.clock.RemoveSource()
	w.programs = append(w.programs[:i], w.programs[i+1:]...)
}

func (w *world) policy() registry.Policy {
	r := w.rand
	p := registry.DefaultPolicy
	p.StaleAfter = pick(r, 500*time.Millisecond, 1500*time.Millisecond)
	p.ForgetAfter = pick(r, time.Hour, 5*time.Second)
	p.Quorum = pick(r, judge.All, judge.Any, judge.Quorum{AtLeast: 2}, judge.NoneNeeded)
	p.FallAfter = pick(r, 0, 0, time.Second)
	p.RecoverAfter = pick(r, 0, 0, 2*time.Second)
	p.SlowStart = pick(r, 0, 0, 10*time.Second)
	if r.IntN(2) == 0 {
		p.Landmarks = map[string]registry.Override{
			"3 0": {Within: new(pick(r, 200*time.Millisecond, time.Second, 3*time.Second))},
			"5 1": {Impact: new(pick(r, judge.ImpactCritical, judge.ImpactInformational))},
		}
	}
	if r.IntN(2) == 0 || p.Quorum == judge.NoneNeeded {
		p.Host = []registry.HostLandmark{
			{Declared: judge.Declared{Name: "port", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}},
			{Declared: judge.Declared{Name: "queue", Kind: judge.KindDeadline, Impact: judge.ImpactCritical, Within: time.Second}},
			{Declared: judge.Declared{Name: "probe", Kind: judge.KindCondition, Impact: judge.ImpactReadiness, TTL: 2 * time.Second}},
		}
	}
	return p
}

func (w *world) readHost(p registry.Policy) registry.HostReport {
	_, real := w.clock.Read()
	report := registry.HostReport{ReadAt: real}
	for _, h := range p.Host {
		f := registry.Fact{Reached: w.rand.IntN(10) != 0, Met: w.rand.IntN(8) != 0, Unreadable: w.rand.IntN(20) == 0}
		if h.Kind == judge.KindDeadline && w.rand.IntN(2) == 0 {
			f.Open, f.Age = true, time.Duration(w.rand.IntN(1500))*time.Millisecond
		}
		report.Facts = append(report.Facts, f)
	}
	return report
}

func (w *world) configure() {
	w.policies = map[string]registry.Policy{}
	hosts := map[string]registry.HostReport{}
	for _, s := range services {
		if w.rand.IntN(3) > 0 {
			p := w.policy()
			w.policies[s], hosts[s] = p, w.readHost(p)
		}
	}
	w.registry.Configure(w.policies, hosts)
}

// act does one random thing.
func (w *world) act() {
	r := w.rand
	switch n := r.IntN(100); {
	case n < 4 && len(w.programs) < 6:
		w.start(false)
	case n < 6 && len(w.programs) > 0:
		w.stop(r.IntN(len(w.programs)))
	case n < 7:
		w.configure()
	case n < 9:
		_, _ = w.registry.Drain(pick(r, services...), 0)
	case n < 12:
		_, _ = w.registry.Resume(pick(r, services...), 0)
	case n < 13:
		w.journal.rotate()
	case n < 30:
		s := pick(r, services...)
		w.registry.ReportHost(s, w.readHost(w.policies[s]))
	case n < 80 && len(w.programs) > 0:
		p := w.programs[r.IntN(len(w.programs))]
		if r.IntN(3) > 0 {
			p.work()
		}
		p.session.Drain(r.IntN(30) == 0)
		p.report()
	case n < 98:
		time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
	default:
		time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond)
	}
}

// record returns the journal of random programs.
func record(t *testing.T, seed uint64, steps int) (lines []journal.Line) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 1)), clock: clock.New(), journal: newMemory()}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = w.clock.Run(ctx, func() bool { return true }) })
		w.registry = registry.New(w.clock, time.Second)
		rec := recorder.New(recorder.Config{Journal: w.journal, Logger: slog.New(slog.DiscardHandler), Now: w.clock.Judged})
		w.registry.SetRecorder(rec)
		w.configure()
		w.registry.BeginGrace()
		running.Go(func() { _ = rec.Run(ctx, w.registry) })
		for range steps {
			w.act()
		}
		for len(w.programs) > 0 {
			w.stop(0)
		}
		time.Sleep(time.Minute)
		cancel()
		running.Wait()
		lines = w.journal.lines
	})
	return lines
}

// simple returns the journal of programs that keep their slots and are judged by the given
// policies all the time. What they do depends on the seed alone.
func simple(t *testing.T, seed uint64, policies map[string]registry.Policy) (lines []journal.Line) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 2)), clock: clock.New(), journal: newMemory(), policies: policies}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = w.clock.Run(ctx, func() bool { return true }) })
		w.registry = registry.New(w.clock, 0)
		rec := recorder.New(recorder.Config{Journal: w.journal, Logger: slog.New(slog.DiscardHandler), Now: w.clock.Judged})
		w.registry.SetRecorder(rec)
		w.registry.Configure(policies, nil)
		w.registry.BeginGrace()
		running.Go(func() { _ = rec.Run(ctx, w.registry) })
		for range 2 + w.rand.IntN(3) {
			w.start(true)
			time.Sleep(time.Millisecond)
		}
		for range 400 {
			p := w.programs[w.rand.IntN(len(w.programs))]
			if w.rand.IntN(3) > 0 {
				p.work()
			}
			p.report()
			longest := 150
			if w.rand.IntN(20) == 0 {
				longest = 1300
			}
			time.Sleep(time.Duration(w.rand.IntN(longest)) * time.Millisecond)
			if w.rand.IntN(100) == 0 {
				w.journal.rotate()
			}
		}
		cancel()
		running.Wait()
		lines = w.journal.lines
	})
	return lines
}
