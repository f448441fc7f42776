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

func TestEachWayIsAnotherChecker(t *testing.T) {
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
		if told := m.ByService("vod"); told != nil {
			t.Errorf("of vod: %+v", told)
		}
		if got := local.Address() + " " + a.Address(); got != "unix 10.0.0.1" {
			t.Errorf("they are at %s", got)
		}
	})
}

// TestFlood holds that forged sources take nobody's place who asks steadily,
// nor that of a director that is dead, and the memory stays small.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		director, dead := at("10.0.0.1"), at("10.0.0.2")
		checks(m, dead, 70, 500*time.Millisecond)
		checks(m, director, 2, 500*time.Millisecond) // it has hardly begun
		for i := range 1_000_000 {
			record(m, "epg", forged(i))
			if i%10_000 == 0 { // 20,000 a second
				record(m, "epg", director)
				time.Sleep(500 * time.Millisecond)
			}
		}
		told := m.ByService("epg")
		if len(told) != maxCheckers {
			t.Errorf("%d checkers are told", len(told))
		}
		if told[0].Checker != dead || !told[0].Silent || told[1].Checker != director || told[1].Total != 102 {
			t.Errorf("first come %+v", told[:2])
		}
		near(t, "the director's rate", told[1].Rate, 2, 0.01)
	})
}

// TestNewcomers holds who makes room for them: who passes by, and only then
// the dead.
func TestNewcomers(t *testing.T) {
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
		if told := m.ByService("epg"); len(told) != maxCheckers || told[0].Checker != newcomer {
			t.Errorf("beside the living, the newcomer does not take the place of the dead: %+v", told[0])
		}
		record(m, "epg", at("10.0.0.2"))
		time.Sleep(minRetention + 1)
		for i := 1; i < maxCheckers; i++ {
			record(m, "epg", forged(i))
		}
		if told := m.ByService("epg"); told[0].Checker != newcomer {
			t.Errorf("another took the newcomer's place at once: %+v", told[0])
		}
		record(m, "epg", at("10.0.0.2"))
		if told := m.ByService("epg"); told[0].Checker != at("10.0.0.2") {
			t.Errorf("the newcomer that did not ask again keeps its place: %+v", told[0])
		}
	})
}

func TestWhoIsSilent(t *testing.T) {
	for _, tt := range []struct {
		name  string
		times int
		gap   time.Duration
		after time.Duration // newClock the last question
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
					t.Fatal("a gap is taken for silence")
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
					t.Error("it is silent, though it is back")
				}
			})
		})
	}
}

// TestRemembered holds that a dead director is told of for a day.
func TestRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		checks(m, at("10.0.0.1"), 70, 500*time.Millisecond)
		time.Sleep(retention - 500*time.Millisecond)
		if told := onlyChecker(t, m); !told.Silent || told.SinceLast != retention || told.Total != 70 {
			t.Errorf("after a day: %+v", told)
		}
		time.Sleep(time.Nanosecond)
		if told := m.ByService("epg"); len(told) > 0 {
			t.Errorf("after more than that: %+v", told)
		}
	})
}

func TestWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		a := Checker{netip.MustParseAddr("10.0.0.1"), LMPWatch}
		first := startWatch(m, "epg", a)
		second := startWatch(m, "epg", a)
		time.Sleep(48 * time.Hour)
		if told := onlyChecker(t, m); told.Watching != 2 || told.Total != 2 || told.SinceLast != 0 || told.Silent {
			t.Errorf("watching: %+v", told)
		}
		first.End()
		time.Sleep(time.Minute)
		if told := onlyChecker(t, m); told.Watching != 1 || told.Silent {
			t.Errorf("one ended: %+v", told)
		}
		second.End()
		time.Sleep(minSilence)
		if told := onlyChecker(t, m); told.Watching != 0 || told.SinceLast != minSilence || told.Silent {
			t.Errorf("both ended: %+v", told)
		}
		time.Sleep(time.Nanosecond)
		if told := onlyChecker(t, m); !told.Silent {
			t.Errorf("some time after: %+v", told)
		}
		short := startWatch(m, "epg", at("10.0.0.2"))
		time.Sleep(steadyTime - 1)
		short.End()
		time.Sleep(time.Hour)
		if told := m.ByService("epg"); len(told) != 2 || told[1].Silent {
			t.Errorf("a passing watch: %+v", told)
		}
	})
}

// TestWatchesKeepTheirPlace holds that ends find what their begins made,
// whatever came between.
func TestWatchesKeepTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		var ends []*Watch
		for i := range maxCheckers + 3 { // for the last three there is no place
			ends = append(ends, startWatch(m, "epg", forged(i)))
		}
		time.Sleep(25 * time.Hour)
		record(m, "epg", at("10.0.0.1"))
		for _, told := range m.ByService("epg") {
			if told.Watching != 1 {
				t.Errorf("%+v", told)
			}
		}
		m.Retain(nil)
		for _, end := range ends {
			end.End()
		}
		if told := m.ByService("epg"); told != nil {
			t.Errorf("forgotten: %+v", told)
		}
	})
}

func TestKeep(t *testing.T) {
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

func TestUnknown(t *testing.T) {
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

// TestMadeUpNamesTakeNoMemory holds that whoever makes up names, and sources,
// makes the memory no bigger and the collector do nothing.
func TestMadeUpNamesTakeNoMemory(t *testing.T) {
	m := newTracker()
	i, name := 0, make([]byte, maxName)
	ask := func() {
		i++
		binary.BigEndian.PutUint32(name, uint32(i))
		m.Record(Check{Name: name}, forged(i), time.Duration(i)*time.Minute) // so that each finds a place
	}
	for range maxCheckers {
		ask()
	}
	if n := testing.AllocsPerRun(1000, ask); n != 0 {
		t.Errorf("noting an unknown name allocates %v times", n)
	}
	if told := m.Unknown(); len(told) != maxCheckers || told[0].Total != 1 {
		t.Errorf("%d are told: %+v", len(told), told[0])
	}
	if services := len(*m.services.Load()); services != 0 {
		t.Errorf("there are %d services", services)
	}
}

func TestNoteAllocatesNothing(t *testing.T) {
	m := newTracker()
	a := at("10.0.0.1")
	if n := testing.AllocsPerRun(1000, func() { record(m, "epg", a) }); n != 0 {
		t.Errorf("noting allocates %v times", n)
	}
}

// TestAllAtOnce is for the race detector, and for nothing to be lost.
func TestAllAtOnce(t *testing.T) {
	m := newTracker()
	var asking sync.WaitGroup
	for g := range 8 {
		asking.Go(func() {
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
	asking.Wait()
	var total uint64
	for _, told := range m.ByService("epg") {
		total += told.Total
		if told.Watching != 0 {
			t.Errorf("it still watches: %+v", told)
		}
	}
	if total != 16_000 {
		t.Errorf("%d questions are told, want 16000", total)
	}
}

func BenchmarkNote(b *testing.B) {
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
