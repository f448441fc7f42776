package checkers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCheckersDifferByFrontEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		a, b, local := at("10.0.0.1"), Checker{netip.MustParseAddr("10.0.0.1"), LMPTCP}, Checker{Via: GRPCCheck}
		checks(m, a, 3, 500*time.Millisecond)
		record(m, "epg", b)
		record(m, "", b)
		record(m, "epg", local)
		time.Sleep(time.Second)
		want := []Stats{
			{Checker: local, SinceLast: time.Second, Total: 1},
			{Checker: b, SinceLast: time.Second, Total: 1},
			{Checker: a, SinceLast: 1500 * time.Millisecond, Rate: 0.88, UsualRate: 2, Total: 3},
		}
		if diff := cmp.Diff(want, m.ByService("epg"), cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateApprox(0, 0.3)); diff != "" {
			t.Errorf("of epg, -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(want[1:2], m.ByService(""), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("of all, -want +got:\n%s", diff)
		}
		if got := m.ByService("vod"); got != nil {
			t.Errorf("of vod: %+v", got)
		}
		if got := local.Address() + " " + a.Address(); got != "unix 10.0.0.1" {
			t.Errorf("the addresses are %s", got)
		}
	})
}

// TestFloodKeepsRealCheckers checks that forged sources take no entry of a checker
// that checks regularly, nor that of a dead director, and that the list stays
// small.
func TestFloodKeepsRealCheckers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		director, dead := at("10.0.0.1"), at("10.0.0.2")
		checks(m, dead, 70, 500*time.Millisecond)
		checks(m, director, 2, 500*time.Millisecond) // not steady yet
		for i := range 1_000_000 {
			record(m, "epg", forged(i))
			if i%10_000 == 0 { // 20,000 a second
				record(m, "epg", director)
				time.Sleep(500 * time.Millisecond)
			}
		}
		got := m.ByService("epg")
		if len(got) != maxCheckers {
			t.Errorf("%d checkers are kept", len(got))
		}
		if got[0].Checker != dead || !got[0].Silent || got[1].Checker != director || got[1].Total != 102 {
			t.Errorf("the first are %+v", got[:2])
		}
		near(t, "the director's rate", got[1].Rate, 2, 0.01)
	})
}

// TestNewCheckerTakesOldEntry checks whose entry a new checker takes: that of a
// silent one if all others are steady, or that of one that is not steady, once
// that had time to check again.
func TestNewCheckerTakesOldEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		dead, newcomer := forged(0), at("10.0.0.1")
		checks(m, dead, 70, 500*time.Millisecond)
		for range 70 {
			for i := 1; i < maxCheckers; i++ {
				record(m, "epg", forged(i))
			}
			time.Sleep(500 * time.Millisecond)
		}
		record(m, "epg", newcomer)
		if got := m.ByService("epg"); len(got) != maxCheckers || got[0].Checker != newcomer {
			t.Errorf("the new checker did not take the silent one's entry: %+v", got[0])
		}
		record(m, "epg", at("10.0.0.2"))
		time.Sleep(minRetention + 1)
		for i := 1; i < maxCheckers; i++ {
			record(m, "epg", forged(i))
		}
		if got := m.ByService("epg"); got[0].Checker != newcomer {
			t.Errorf("another checker took the entry within minRetention: %+v", got[0])
		}
		record(m, "epg", at("10.0.0.2"))
		if got := m.ByService("epg"); got[0].Checker != at("10.0.0.2") {
			t.Errorf("the checker that did not check again keeps its entry: %+v", got[0])
		}
	})
}

func TestSteadyCheckerFallsSilent(t *testing.T) {
	for _, tt := range []struct {
		name  string
		times int
		gap   time.Duration
		after time.Duration // since the last check
	}{
		{"2 a second", 70, 500 * time.Millisecond, 10 * time.Second},
		{"1 in 10 s", 12, 10 * time.Second, 50 * time.Second},
		{"1 a minute", 12, time.Minute, 5 * time.Minute},
		{"too few to be steady", 9, 10 * time.Second, never},
		{"too short to be steady", 100, 10 * time.Millisecond, never},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newTracker()
				checks(m, at("10.0.0.1"), tt.times, tt.gap)
				if onlyChecker(t, m).Silent {
					t.Fatal("it is silent after one gap")
				}
				for onlyChecker(t, m).SinceLast < min(tt.after, time.Hour) {
					if onlyChecker(t, m).Silent {
						t.Fatalf("it is silent after %v", onlyChecker(t, m).SinceLast)
					}
					time.Sleep(min(time.Second, tt.after-onlyChecker(t, m).SinceLast))
				}
				time.Sleep(time.Nanosecond)
				if onlyChecker(t, m).Silent != (tt.after != never) {
					t.Errorf("after %v: %+v", onlyChecker(t, m).SinceLast, onlyChecker(t, m))
				}
				record(m, "epg", at("10.0.0.1"))
				if onlyChecker(t, m).Silent {
					t.Error("it is silent after another check")
				}
			})
		})
	}
}

// TestSilentCheckerIsKeptForADay checks that a dead director is listed for a day.
func TestSilentCheckerIsKeptForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		checks(m, at("10.0.0.1"), 70, 500*time.Millisecond)
		time.Sleep(retention - 500*time.Millisecond)
		if got := onlyChecker(t, m); !got.Silent || got.SinceLast != retention || got.Total != 70 {
			t.Errorf("after a day: %+v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := m.ByService("epg"); len(got) > 0 {
			t.Errorf("after more than a day: %+v", got)
		}
	})
}

func TestWatchingCheckerIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		a := Checker{netip.MustParseAddr("10.0.0.1"), LMPWatch}
		first := startWatch(m, "epg", a)
		second := startWatch(m, "epg", a)
		time.Sleep(48 * time.Hour)
		if got := onlyChecker(t, m); got.Watching != 2 || got.Total != 2 || got.SinceLast != 0 || got.Silent {
			t.Errorf("two watches: %+v", got)
		}
		first.End()
		time.Sleep(time.Minute)
		if got := onlyChecker(t, m); got.Watching != 1 || got.Silent {
			t.Errorf("after the first ended: %+v", got)
		}
		second.End()
		time.Sleep(minSilence)
		if got := onlyChecker(t, m); got.Watching != 0 || got.SinceLast != minSilence || got.Silent {
			t.Errorf("after both ended: %+v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := onlyChecker(t, m); !got.Silent {
			t.Errorf("one nanosecond later: %+v", got)
		}
		short := startWatch(m, "epg", at("10.0.0.2"))
		time.Sleep(steadyTime - 1)
		short.End()
		time.Sleep(time.Hour)
		if got := m.ByService("epg"); len(got) != 2 || got[1].Silent {
			t.Errorf("after a short watch: %+v", got)
		}
	})
}

// TestWatchesKeepTheirEntries checks that the end of a watch finds the entry of its
// beginning, whatever came between.
func TestWatchesKeepTheirEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		var watches []*Watch
		for i := range maxCheckers + 3 { // the last three get no entry
			watches = append(watches, startWatch(m, "epg", forged(i)))
		}
		time.Sleep(25 * time.Hour)
		record(m, "epg", at("10.0.0.1"))
		for _, got := range m.ByService("epg") {
			if got.Watching != 1 {
				t.Errorf("%+v", got)
			}
		}
		m.Retain(nil)
		for _, w := range watches {
			w.End()
		}
		if got := m.ByService("epg"); got != nil {
			t.Errorf("after Retain: %+v", got)
		}
	})
}

func TestChecksRecordedTogetherAreAllCounted(t *testing.T) {
	m := newTracker()
	for _, n := range []int{1, 16, 3} {
		m.RecordAll(about("epg"), at("10.0.0.1"), n, m.now())
		m.RecordAll(Check{Name: []byte("epgg")}, at("10.0.0.1"), n, m.now())
	}
	if got := onlyChecker(t, m); got.Total != 20 {
		t.Errorf("of epg, %d are counted, want 20", got.Total)
	}
	if got := m.Unknown(); len(got) != 1 || got[0].Total != 20 {
		t.Errorf("of an unknown name: %+v, want 20", got)
	}
}

func TestRetainDropsOtherServices(t *testing.T) {
	m := newTracker()
	for _, service := range []string{"", "epg", "vod", "web"} {
		record(m, service, at("10.0.0.1"))
	}
	m.Retain([]string{"epg", "web"})
	for service, want := range map[string]int{"": 1, "epg": 1, "vod": 0, "web": 1} {
		if got := len(m.ByService(service)); got != want {
			t.Errorf("%q has %d checkers, want %d", service, got, want)
		}
	}
}

func TestUnknownNamesAreSortedAndCut(t *testing.T) {
	m := newTracker()
	name := []byte("epgg")
	recordUnknown(m, name, at("10.0.0.1"))
	recordUnknown(m, name, at("10.0.0.1"))
	copy(name, "ebbb")
	recordUnknown(m, name, at("10.0.0.1"))
	recordUnknown(m, bytes.Repeat(name, 1000), at("10.0.0.1"))
	var got []string
	for _, u := range m.Unknown() {
		got = append(got, fmt.Sprintf("%s %d", u.Name, u.Total))
	}
	want := []string{"ebbb 1", string(bytes.Repeat(name, 25)) + " 1", "epgg 2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestInventedNamesTakeNoMemory checks that invented names and sources do not grow
// the list, and allocate nothing.
func TestInventedNamesTakeNoMemory(t *testing.T) {
	m := newTracker()
	i, name := 0, make([]byte, maxName)
	check := func() {
		i++
		binary.BigEndian.PutUint32(name, uint32(i))
		m.Record(Check{Name: name}, forged(i), time.Duration(i)*time.Minute) // so that each gets an entry
	}
	for range maxCheckers {
		check()
	}
	if n := testing.AllocsPerRun(1000, check); n != 0 {
		t.Errorf("recording an unknown name allocates %v times", n)
	}
	if got := m.Unknown(); len(got) != maxCheckers || got[0].Total != 1 {
		t.Errorf("%d are kept, the first is %+v", len(got), got[0])
	}
	if services := len(*m.services.Load()); services != 0 {
		t.Errorf("there are %d services", services)
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	m := newTracker()
	a := at("10.0.0.1")
	if n := testing.AllocsPerRun(1000, func() { record(m, "epg", a) }); n != 0 {
		t.Errorf("recording allocates %v times", n)
	}
}

// TestConcurrentChecksAreAllCounted is also for the race detector.
func TestConcurrentChecksAreAllCounted(t *testing.T) {
	m := newTracker()
	var checking sync.WaitGroup
	for g := range 8 {
		checking.Go(func() {
			for i := range 1000 {
				record(m, "epg", forged(i%8))
				record(m, fmt.Sprint("epg", i%20), forged(g))
				startWatch(m, "epg", forged(i%8)).End()
				recordUnknown(m, []byte("epgg"), forged(g))
				if i%100 == 0 {
					m.ByService("epg")
					m.Unknown()
					m.Retain([]string{"epg"})
				}
			}
		})
	}
	checking.Wait()
	var total uint64
	for _, got := range m.ByService("epg") {
		total += got.Total
		if got.Watching != 0 {
			t.Errorf("still watching: %+v", got)
		}
	}
	if total != 16_000 {
		t.Errorf("%d checks are counted, want 16000", total)
	}
}

func BenchmarkRecord(b *testing.B) {
	for _, checkers := range []int{1, 4, maxCheckers} {
		b.Run(fmt.Sprintf("checkers=%d", checkers), func(b *testing.B) {
			m := newTracker()
			for i := range checkers - 1 {
				m.Record(about("epg"), forged(i), 0)
			}
			b.ReportAllocs()
			q, a, now := about("epg"), at("10.0.0.1"), time.Duration(0)
			for b.Loop() {
				now += time.Millisecond
				m.Record(q, a, now)
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		m := newTracker()
		b.RunParallel(func(pb *testing.PB) {
			q, a, now := about("epg"), at("10.0.0.1"), time.Duration(0)
			for pb.Next() {
				now += time.Millisecond
				m.Record(q, a, now)
			}
		})
	})
	b.Run("forged", func(b *testing.B) {
		m, q, i := newTracker(), about("epg"), 0
		for b.Loop() {
			i++
			m.Record(q, forged(i), time.Duration(i))
		}
	})
}
