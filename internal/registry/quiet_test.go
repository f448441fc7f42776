package registry

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// quietAgent is an agent whose reports say when they were made, and whose intake knows
// whether all is handled. So the clock need not beat for it.
type quietAgent struct {
	*agent
	r       *Registry
	got     atomic.Uint64 // reports that were read
	reading atomic.Bool
	looks   atomic.Int64 // at its socket
}

// openQuiet opens a session of the service, and reports.
func openQuiet(t *testing.T, r *Registry, service string) *quietAgent {
	t.Helper()
	a := newQuietAgent(t, r, service, "a")
	a.report(passed)
	return a
}

// newQuietAgent opens a session.
func newQuietAgent(t *testing.T, r *Registry, service, instance string) *quietAgent {
	a := &quietAgent{agent: open(t, r, service, instance), r: r}
	a.session.SetAllHandled(func(reports uint64) bool {
		a.looks.Add(1)
		return !a.reading.Load() && reports == a.got.Load()
	})
	return a
}

// report reports a fact of now.
func (a *quietAgent) report(fact Fact) { a.reportOf(fact, 0) }

// reportOf reports a fact by a report that was made so long ago, and is read now.
func (a *quietAgent) reportOf(fact Fact, ago time.Duration) {
	a.t.Helper()
	_, real := a.r.clock.Read()
	a.got.Add(1)
	if err := a.session.ReportAt([]Fact{fact}, 0, real.Add(-ago)); err != nil {
		a.t.Fatal(err)
	}
}

// reportFor reports that the loop answers, at the interval of such reports.
func (a *quietAgent) reportFor(d time.Duration) {
	for range d / (250 * time.Millisecond) {
		time.Sleep(250 * time.Millisecond)
		a.report(passed)
	}
}

// quietly runs f under fake time with a registry whose clock goes on, and beats only if a
// silence may count.
func quietly(t *testing.T, f func(t *testing.T, r *Registry)) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		c.AddQuietSource()
		defer run(c)()
		f(t, New(c, 0))
	})
}

// While a program reports in time, the clock hardly beats, and answers are final at once.
func TestClockIsQuietWhileProgramsReport(t *testing.T) {
	quietly(t, func(t *testing.T, r *Registry) {
		epg := openQuiet(t, r, "epg")
		epg.reportFor(time.Second)
		var beats atomic.Int64
		over := make(chan struct{})
		go func() {
			for {
				select {
				case <-r.clock.NextBeat():
					beats.Add(1)
				case <-over:
					return
				}
			}
		}()
		for range 4 * 60 {
			time.Sleep(125 * time.Millisecond)
			if a, isFinal := r.Lookup([]byte("epg"), 0); !isFinal || a.Status != judge.Serving {
				t.Fatalf("got %v, final %v; want %v, final", a.Status, isFinal, judge.Serving)
			}
			time.Sleep(125 * time.Millisecond)
			epg.report(passed)
		}
		close(over)
		if n := beats.Load(); n > 2*60 {
			t.Errorf("got %d beats in a minute, want two a second at most", n)
		}
	})
}

// In a span of the clock there is one look at the sockets, however many requests come.
func TestOneLookInASpan(t *testing.T) {
	quietly(t, func(t *testing.T, r *Registry) {
		epg := openQuiet(t, r, "epg")
		time.Sleep(2 * clock.MaxGap)
		before := epg.looks.Load()
		for range 1000 {
			lookup(r, "epg")
			lookup(r, "epg-liveness")
			lookup(r, "")
		}
		if n := epg.looks.Load() - before; n != 1 {
			t.Errorf("got %d looks, want 1", n)
		}
	})
}

// With many services the clock beats: looks at the sockets of each would cost more.
func TestClockBeatsForManyServices(t *testing.T) {
	for services, beats := range map[int]bool{maxQuietServices: false, maxQuietServices + 1: true} {
		quietly(t, func(t *testing.T, r *Registry) {
			var agents []*quietAgent
			for i := range services {
				agents = append(agents, openQuiet(t, r, fmt.Sprintf("epg%d", i)))
			}
			looks := agents[0].looks.Load()
			for range 40 {
				time.Sleep(250 * time.Millisecond)
				for _, a := range agents {
					a.report(passed)
				}
			}
			if n := agents[0].looks.Load() - looks; (n == 0) != beats {
				t.Errorf("%d services: %d looks at the sockets of one of them", services, n)
			}
		})
	}
}

// A program hangs, stops or falls silent while nobody asks. The verdict changes at the
// instant that its limit says, as if the clock beat all the time.
func TestQuietClockFindsFailuresInTime(t *testing.T) {
	for name, tt := range map[string]struct {
		last  Fact // of the last report
		then  func(*quietAgent)
		after time.Duration // of the last report
		cause judge.Cause
	}{
		"it is stopped": {passed, func(*quietAgent) {}, DefaultPolicy.StaleAfter, judge.Stale},
		"its loop hangs": {Fact{Reached: true, Open: true, Age: 250 * time.Millisecond}, func(a *quietAgent) {
			for age := 500 * time.Millisecond; age <= 1250*time.Millisecond; age += 250 * time.Millisecond {
				time.Sleep(250 * time.Millisecond)
				a.report(Fact{Reached: true, Open: true, Age: age})
			}
		}, 750 * time.Millisecond, judge.Stalled},
		"its loop hangs, and it is stopped": {Fact{Reached: true, Open: true, Age: 250 * time.Millisecond}, func(*quietAgent) {}, 750 * time.Millisecond, judge.Stalled},
	} {
		t.Run(name, func(t *testing.T) {
			quietly(t, func(t *testing.T, r *Registry) {
				epg := openQuiet(t, r, "epg")
				epg.reportFor(10 * time.Second)
				epg.report(tt.last)
				sub := r.Subscribe([]byte("epg"))
				defer sub.Close()
				began := time.Now()
				var failed time.Duration
				done := make(chan struct{})
				go func() {
					defer close(done)
					<-sub.Changed()
					failed = time.Since(began)
				}()
				tt.then(epg)
				<-done
				if late := failed - tt.after; late < 0 || late > time.Millisecond {
					t.Errorf("failed after %v, want %v", failed, tt.after)
				}
				a, isFinal := r.Lookup([]byte("epg"), 0)
				check(t, "afterwards", a, tt.cause)
				if !isFinal {
					t.Error("the answer is not final")
				}
			})
		})
	}
}

// Nobody notices that the sidecar was paused. What came meanwhile is in the socket, or
// just being read: the answer waits for it.
func TestAnswerAfterAGapWaitsForWhatIsUnread(t *testing.T) {
	for name, tt := range map[string]struct{ unread, read func(*quietAgent) }{
		"in the socket": {func(a *quietAgent) { a.unread.Store(true) }, func(a *quietAgent) { a.unread.Store(false) }},
		"being read": {
			func(a *quietAgent) { a.reading.Store(true) },
			func(a *quietAgent) { a.reading.Store(false) },
		},
		"read, and on its way": {
			func(a *quietAgent) { a.got.Add(1) },
			func(a *quietAgent) { a.got.Add(^uint64(0)) }, // reportOf adds it
		},
		"an end that is not handled": {func(a *quietAgent) { a.exited.Store(true) }, func(a *quietAgent) { a.exited.Store(false) }},
	} {
		for _, name2 := range []string{"epg", "epg-liveness", ""} {
			t.Run(name+" "+name2, func(t *testing.T) {
				quietly(t, func(t *testing.T, r *Registry) {
					epg := openQuiet(t, r, "epg")
					epg.reportFor(time.Second)
					time.Sleep(200 * time.Millisecond) // paused
					tt.unread(epg)
					if a, isFinal := r.Lookup([]byte(name2), 0); isFinal || a.Status != judge.Serving {
						t.Errorf("got %v, final %v; want a provisional answer that is serving", a.Status, isFinal)
					}
					time.AfterFunc(3*time.Millisecond, func() {
						tt.read(epg)
						epg.reportOf(hung, 100*time.Millisecond)
					})
					began := time.Now()
					check(t, "once it is read", await(t, r, name2, 0), judge.Stalled)
					if took := time.Since(began); took > 4*clock.Recheck {
						t.Errorf("the answer took %v, want at most %v", took, 4*clock.Recheck)
					}
				})
			})
		}
	}
}

// A request comes together with a report, after a gap: it waits until the report is read,
// and not for the next check of the sockets. Nor does it if the others of the service have
// nothing unread.
func TestAnswerAfterAGapWaitsNoLongerThanForTheReport(t *testing.T) {
	const reading = 3 * time.Millisecond
	quietly(t, func(t *testing.T, r *Registry) {
		epg, other := openQuiet(t, r, "epg"), newQuietAgent(t, r, "epg", "b")
		other.report(passed)
		for range 5 {
			epg.report(passed)
			other.report(passed)
			time.Sleep(200 * time.Millisecond)
			epg.reading.Store(true)
			if a, isFinal := r.Lookup([]byte("epg"), 0); isFinal || a.Status != judge.Serving {
				t.Errorf("before it is read: got %v, final %v; want a provisional answer that is serving", a.Status, isFinal)
			}
			time.AfterFunc(reading, func() {
				epg.reading.Store(false)
				epg.report(hung)
			})
			began := time.Now()
			a := await(t, r, "epg", 0)
			if took := time.Since(began); took != reading || a.Instances()[0].Cause != judge.Stalled {
				t.Errorf("got %v after %v, want the hung process after %v", a.Instances(), took, reading)
			}
			time.Sleep(clock.Recheck)
			other.unread.Store(true)
			time.Sleep(200 * time.Millisecond)
			epg.report(passed)
			if _, isFinal := r.Lookup([]byte("epg"), 0); isFinal {
				t.Error("got a final answer while another process has something unread, want a provisional one")
			}
			other.unread.Store(false)
			other.report(passed)
			if a, isFinal := r.Lookup([]byte("epg"), 0); !isFinal {
				t.Errorf("got a provisional answer when all is read: %v, want a final one", a.Status)
			}
		}
	})
}

// The sidecar is paused until after the instant at which a program that is silent since
// would be stale, and the timer fires before the reports are read that came in time. Or
// they are read first.
func TestNoFalseVerdictByATimerAfterAPause(t *testing.T) {
	for _, timerFirst := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			c.AddQuietSource()
			pause := run(c)
			r := New(c, 0)
			epg := openQuiet(t, r, "epg")
			epg.reportFor(2 * time.Second)
			sub := r.Subscribe([]byte("epg"))
			defer sub.Close()
			pause()
			epg.unread.Store(true)
			time.Sleep(2 * DefaultPolicy.StaleAfter) // the timer fires meanwhile
			read := func() {
				epg.unread.Store(false)
				epg.reportOf(passed, 100*time.Millisecond)
			}
			if !timerFirst {
				read()
			}
			r.service("epg").tick()
			defer run(c)()
			r.service("epg").tick()
			if timerFirst {
				time.Sleep(clock.Recheck)
				if received(sub.Changed()) {
					t.Error("the watchers were woken before the socket was read")
				}
				if a, isFinal := r.Lookup([]byte("epg"), 0); isFinal || a.Status != judge.Serving {
					t.Errorf("before the socket is read: got %v, final %v; want a provisional answer that is serving", a.Status, isFinal)
				}
				read()
			}
			check(t, "once it is read", await(t, r, "epg", 0), judge.None)
			if received(sub.Changed()) {
				t.Error("the watchers were woken although the program serves")
			}
		})
	}
}

// Each look is about one service: another one whose socket is unread waits alone.
func TestUnreadProcessHoldsUpOnlyItsOwnServiceInTheQuiet(t *testing.T) {
	quietly(t, func(t *testing.T, r *Registry) {
		epg, flood := openQuiet(t, r, "epg"), openQuiet(t, r, "flood")
		epg.report(passed)
		time.Sleep(200 * time.Millisecond)
		flood.unread.Store(true)
		for _, name := range []string{"epg", "epg-liveness"} {
			if a, isFinal := r.Lookup([]byte(name), 0); !isFinal || a.Status != judge.Serving {
				t.Errorf("%s: got %v, final %v; want %v, final", name, a.Status, isFinal, judge.Serving)
			}
		}
		for _, name := range []string{"flood", ""} {
			if _, isFinal := r.Lookup([]byte(name), 0); isFinal {
				t.Errorf("%q: got a final answer, want a provisional one", name)
			}
		}
		epg.report(passed)
	})
}

// A program whose reports do not say when they were made needs the beats, and so does one
// whose limit is nearer than a report.
func TestSomeProgramsNeedBeats(t *testing.T) {
	for name, report := range map[string]func(*quietAgent){
		"reports without a date": func(a *quietAgent) { a.pass() },
		"a limit that is near":   func(a *quietAgent) { a.report(Fact{Reached: true, Open: true, Age: 900 * time.Millisecond}) },
	} {
		quietly(t, func(t *testing.T, r *Registry) {
			epg := openQuiet(t, r, "epg")
			time.Sleep(2 * clock.Beat)
			report(epg)
			for range 3 {
				beat := r.clock.NextBeat()
				time.Sleep(clock.Beat + time.Millisecond)
				if !received(beat) {
					t.Errorf("%s: the clock does not beat", name)
				}
			}
		})
	}
}

// A program is stopped together with the sidecar, in the quiet, and goes on with it. It has
// the time to report again before its silence counts, whenever that is.
func TestProgramStoppedTogetherHasTimeToReport(t *testing.T) {
	for stopped := 100 * time.Millisecond; stopped < 3*time.Second; stopped += 100 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			c.AddQuietSource()
			stop := run(c)
			r := New(c, 0)
			epg := openQuiet(t, r, "epg")
			epg.reportFor(2 * time.Second)
			sub := r.Subscribe([]byte("epg"))
			defer sub.Close()
			stop()
			time.Sleep(stopped)
			defer run(c)()
			time.Sleep(250 * time.Millisecond)
			epg.report(passed)
			check(t, "after the next report", await(t, r, "epg", 0), judge.None)
			if received(sub.Changed()) {
				t.Errorf("stopped for %v: the watchers were woken although the program serves", stopped)
			}
		})
	}
}

// A program freezes, and its last report is still on its way when that can be noticed. So
// the service is held, for a second at most. Its watchers are told then, and not a whole
// limit later.
func TestWatchersAreToldOnceAHeldServiceIsReleased(t *testing.T) {
	quietly(t, func(t *testing.T, r *Registry) {
		const limit = 10 * time.Second
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.StaleAfter = limit })}, nil)
		epg := openQuiet(t, r, "epg")
		epg.reportFor(time.Second)
		began := time.Now()
		epg.got.Add(1)
		sub := r.Subscribe([]byte("epg"))
		defer sub.Close()
		for {
			<-sub.Changed()
			if a, _ := r.Lookup([]byte("epg"), 0); a.Status != judge.Serving {
				break
			}
		}
		if took := time.Since(began); took < limit || took > limit+clock.MaxBehind+4*clock.Recheck {
			t.Errorf("told after %v, want %v, and at most %v more", took, limit, clock.MaxBehind)
		}
	})
}

// A reader that is preempted after it has read the clock finds a span that another has
// proved meanwhile. It proves nothing again, and takes back no proof.
func TestPreemptedReaderTakesNoProofBack(t *testing.T) {
	c := clock.New()
	c.AddQuietSource()
	defer run(c)()
	r := New(c, 0)
	r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.StaleAfter = time.Hour })}, nil)
	epg := openQuiet(t, r, "epg")
	s := r.service("epg")
	for began := s.clock.Span(); s.clock.Span() == began; c.Judged() { // until the clock is quiet
		<-time.After(2 * clock.MaxGap)
	}

	s.mu.Lock()
	before, done := s.clock.Span(), make(chan struct{})
	<-time.After(2 * clock.MaxGap)
	go func() {
		defer close(done)
		lookup(r, "epg")
	}()
	for s.clock.Span() == before { // until it has read the clock
		runtime.Gosched()
	}
	<-time.After(2 * clock.MaxGap) // it waits for mu meanwhile
	s.readClockLocked()            // as a reader that was quicker
	proved := s.proved.Load()
	epg.got.Add(1) // a report comes
	s.mu.Unlock()
	<-done
	if s.proved.Load() != proved || s.isHeld() {
		t.Errorf("the proof is taken back: %v; the service is held at %v", s.proved.Load() != proved, s.heldInstant())
	}
}

// A reader that was preempted holds the service from now on, and not since it read the
// clock. Else the time in which all must be read would be over at once.
func TestPreemptedReaderHoldsFromNowOn(t *testing.T) {
	quietly(t, func(t *testing.T, r *Registry) {
		epg := openQuiet(t, r, "epg")
		judged := r.clock.Judged()
		epg.reportFor(2 * clock.MaxBehind)
		epg.unread.Store(true)
		time.Sleep(2 * clock.MaxGap)
		r.clock.Judged() // another reader
		s := r.service("epg")
		s.judgedAt(judged)
		time.Sleep(10 * clock.Recheck)
		if _, isFinal := r.Lookup([]byte("epg"), 0); isFinal {
			t.Error("a report is unread, and the answer is final")
		}
		epg.unread.Store(false)
		time.Sleep(10 * clock.Recheck)
		if _, isFinal := r.Lookup([]byte("epg"), 0); !isFinal {
			t.Error("all is read, and the answer is not final")
		}
	})
}
