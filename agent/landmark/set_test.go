package landmark

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/contract"
)

func TestSetKeepsDeclarationsInOrder(t *testing.T) {
	var s Set
	s.Loop("main loop", time.Second)
	s.Alive("reader", 24*time.Hour, StartWithin(time.Minute), Readiness)
	s.Loop("ui", 100*time.Millisecond, Informational, StartWithin(time.Millisecond), Post(func(func()) {}))
	s.Deadline("answer", 5*time.Second, StartWithin(time.Hour))
	s.Level("queue", Above(100, 1000), Poll(func() float64 { return 0 }))
	s.Level("disk", Below(10, 5), Critical)
	s.Condition("guide", StartWithin(time.Minute), TTL(time.Hour))
	s.Condition("db", Check(time.Second, time.Second, func(context.Context) error { return nil }), TTL(2*time.Second))

	want := []collector.Declaration{
		{Name: "main loop", Kind: collector.KindLoop, Impact: uint8(Critical), Within: time.Second},
		{Name: "reader", Kind: collector.KindAlive, Impact: uint8(Readiness), Within: 24 * time.Hour, StartWithin: time.Minute},
		{Name: "ui", Kind: collector.KindLoop, Impact: uint8(Informational), Within: 100 * time.Millisecond, StartWithin: time.Millisecond},
		{Name: "answer", Kind: collector.KindDeadline, Impact: uint8(Critical), Within: 5 * time.Second, StartWithin: time.Hour},
		{Name: "queue", Kind: collector.KindLevel, Impact: uint8(Degrading), Limits: collector.Limits{DegradeAt: 100, FailAt: 1000}},
		{Name: "disk", Kind: collector.KindLevel, Impact: uint8(Critical), Limits: collector.Limits{DegradeAt: 10, FailAt: 5, Below: true}},
		{Name: "guide", Kind: collector.KindCondition, Impact: uint8(Readiness), StartWithin: time.Minute, TTL: time.Hour},
		{Name: "db", Kind: collector.KindCondition, Impact: uint8(Readiness), TTL: 2 * time.Second},
	}
	var got []collector.Declaration
	for _, l := range landmarks(&s) {
		got = append(got, l.Declaration)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("declarations (-want +got):\n%s", diff)
	}
	if err := s.Err(); err != nil {
		t.Errorf("Err() = %v for valid declarations", err)
	}
}

func TestSetKeepsFirstError(t *testing.T) {
	healthy := func(context.Context) error { return nil }
	tests := []struct {
		name    string
		declare func(*Set)
		want    string // in the error
	}{
		{"empty name", func(s *Set) { s.Alive("", time.Second) }, `landmark ""`},
		{"long name", func(s *Set) { s.Alive(strings.Repeat("x", 129), time.Second) }, "129 bytes long: use 128 at most"},
		{"control character", func(s *Set) { s.Loop("a\nb", time.Second) }, `"a\nb"`},
		{"invisible character", func(s *Set) { s.Loop("a\u200bb", time.Second) }, "printable UTF-8"},
		{"not UTF-8", func(s *Set) { s.Loop("a\xff", time.Second) }, `"a\xff"`},
		{"too short", func(s *Set) { s.Alive("x", 100*time.Millisecond-1) }, "within must be 100ms to 24h"},
		{"too long", func(s *Set) { s.Loop("x", 24*time.Hour+1) }, "within must be 100ms to 24h"},
		{"negative", func(s *Set) { s.Loop("x", -time.Second) }, "within must be 100ms to 24h"},
		{"start too short", func(s *Set) { s.Loop("x", time.Second, StartWithin(1)) }, "StartWithin must be 1ms to 24h"},
		{"start negative", func(s *Set) { s.Alive("x", time.Second, StartWithin(-1)) }, "StartWithin must be 1ms to 24h"},
		{"impact", func(s *Set) { s.Alive("x", time.Second, Impact(5)) }, "impact 5"},
		{"nil post", func(s *Set) { s.Loop("x", time.Second, Post(nil)) }, "Post was given a nil function"},
		{"deadline too short", func(s *Set) { s.Deadline("x", 0) }, "within must be 100ms to 24h"},
		{"not a number", func(s *Set) { s.Level("x", Above(0, math.NaN())) }, "limits are finite"},
		{"infinite", func(s *Set) { s.Level("x", Below(math.Inf(1), 0)) }, "limits are finite"},
		{"above reversed", func(s *Set) { s.Level("x", Above(2, 1)) }, "or use Below"},
		{"below reversed", func(s *Set) { s.Level("x", Below(1, 2)) }, "or use Above"},
		{"nil poll", func(s *Set) { s.Level("x", Above(1, 2), Poll(nil)) }, "Poll was given a nil function"},
		{"level start", func(s *Set) { s.Level("x", Above(1, 2), StartWithin(1)) }, "StartWithin must be"},
		{"TTL too short", func(s *Set) { s.Condition("x", TTL(1)) }, "TTL must be 1ms to 24h"},
		{"nil check", func(s *Set) { s.Condition("x", Check(time.Second, time.Second, nil)) }, "Check was given a nil"},
		{"check too often", func(s *Set) { s.Condition("x", Check(time.Millisecond, time.Second, healthy)) }, "interval of a Check must be 10ms to 24h"},
		{"no timeout", func(s *Set) { s.Condition("x", Check(time.Second, 0, healthy)) }, "timeout of a Check must be"},
		{"TTL between checks", func(s *Set) {
			s.Condition("x", Check(time.Second, time.Second, healthy), TTL(2*time.Second-1))
		}, "run out between two checks"},
		{"declared twice", func(s *Set) { s.Alive("x", time.Second); s.Loop("x", time.Second) }, `"x": declared twice`},
		{"too many", func(s *Set) {
			for i := range contract.MaxLandmarks + 1 {
				s.Alive(fmt.Sprint("worker ", i), time.Second)
			}
		}, `"worker 1024": a set holds at most 1024`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s Set
			tt.declare(&s)
			err := s.Err()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Err() = %v, want it to say %q", err, tt.want)
			}
			s.Alive("", time.Minute)
			if again := s.Err(); again != err {
				t.Errorf("after another error: Err() = %[2]v, want the first, %[1]v", err, again)
			}
		})
	}
}

func TestInvalidLandmarksAreUsableButNotReported(t *testing.T) {
	var s Set
	a := s.Alive("", time.Second)
	l := s.Loop("", time.Second)
	a.Reach()
	s.Deadline("", 0).Begin().End()
	s.Level("", Limits{}, Poll(nil)).Set(1)
	s.Condition("", Check(0, 0, nil)).Set(true, "")
	if l.C() == nil {
		t.Error("C() of an invalid Loop is nil")
	}
	if n := len(landmarks(&s)); n != 0 {
		t.Errorf("%d invalid landmarks are reported", n)
	}
}

func TestNilLandmarksDoNothing(t *testing.T) {
	var s *Set
	s.Alive("a", time.Second).Reach()
	new(Alive).Reach()
	s.Deadline("d", time.Second).Begin().End()
	new(Deadline).Begin().End()
	Work{}.End()
	s.Level("v", Above(1, 2)).Set(3)
	new(Level).Set(3)
	s.Condition("c").Set(false, "why not")
	new(Condition).Set(false, "why not")
	select {
	case <-s.Loop("l", time.Second).C():
		t.Error("received a command from a nil Loop")
	default:
	}
}

func TestWatchReportsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		first, stopFirst := watch(&s)
		second, stopSecond := watch(&s)
		defer stopSecond()

		expect := func(event string, c <-chan struct{}, want bool) {
			t.Helper()
			select {
			case <-c:
				if !want {
					t.Errorf("%s: woken, want no wake", event)
				}
			default:
				if want {
					t.Errorf("%s: not woken", event)
				}
			}
		}
		both := func(event string, want bool) {
			t.Helper()
			expect(event+", first watcher", first, want)
			expect(event+", second watcher", second, want)
		}

		both("nothing", false)
		a := s.Alive("a", time.Second)
		both("an Alive declared", true)
		a.Reach()
		both("first reached", true)
		a.Reach()
		both("reached again", false)

		alive := landmarks(&s)[0]
		alive.Sample(time.Now())
		a.Reach()
		both("reached after a recent sample", false)
		alive.Sample(time.Now())
		time.Sleep(2 * time.Second)
		alive.Sample(time.Now())
		both("overdue", false)
		a.Reach()
		both("reached when overdue", true)
		a.Reach()
		both("reached in time again", false)

		l := s.Loop("l", time.Second)
		both("a Loop declared", true)
		landmarks(&s)[1].SendCommand(time.Now())
		both("a command sent", false)
		(<-l.C())()
		both("a command answered", true)

		d := s.Deadline("d", time.Second)
		both("a Deadline declared", true)
		w := d.Begin()
		both("first begun", true)
		d.Begin().End()
		both("begun and ended", false)
		deadline := landmarks(&s)[2]
		deadline.Sample(time.Now())
		w.End()
		both("ended after a recent sample", false)
		w, other := d.Begin(), d.Begin()
		time.Sleep(time.Second)
		deadline.Sample(time.Now())
		deadline.Sample(time.Now())
		w.End()
		both("ended when overdue", true)
		w.End()
		both("ended again", false)
		other.End()
		both("another ended when overdue", true)

		v := s.Level("v", Above(10, 20))
		both("a Level declared", true)
		for _, step := range []struct {
			to   float64
			want bool
		}{{0, true}, {10, false}, {11, true}, {19, false}, {20, true}, {99, false}, {9, true}, {math.NaN(), true}} {
			v.Set(step.to)
			both(fmt.Sprint("a Level set to ", step.to), step.want)
		}

		c := s.Condition("c", TTL(time.Second))
		both("a Condition declared", true)
		c.Set(false, "")
		both("first set", true)
		c.Set(false, "another reason")
		both("same setting with another reason", false)
		c.Set(true, "")
		both("changed to met", true)
		condition := landmarks(&s)[4]
		condition.Sample(time.Now())
		c.Set(true, "")
		both("renewed", false)
		condition.Sample(time.Now())
		time.Sleep(time.Second)
		condition.Sample(time.Now())
		c.Set(true, "")
		both("renewed late", true)

		stopFirst()
		s.Alive("b", time.Second)
		expect("stopped watcher", first, false)
		expect("other watcher", second, true)
	})
}

// landmarks returns the set's landmarks as an agent gets them.
func landmarks(s *Set) []collector.Landmark { return collector.Of(s).Landmarks() }

// watch watches the set as an agent does.
func watch(s *Set) (changed <-chan struct{}, stop func()) { return collector.Of(s).Watch() }

// assertAllocatesNothing asserts that what call does allocates nothing.
func assertAllocatesNothing(t *testing.T, what string, call func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, call); n != 0 {
		t.Errorf("%s: %v allocations, want 0", what, n)
	}
}

// benchmarkAtomicAdd measures what the landmarks are compared with.
func benchmarkAtomicAdd(b *testing.B) {
	var n atomic.Uint64
	for b.Loop() {
		n.Add(1)
	}
}
