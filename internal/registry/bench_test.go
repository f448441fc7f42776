package registry

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// BenchmarkLookup looks up one of a thousand services, and all. The reference is the
// least that finding an answer by name can cost: a map under a read lock.
func BenchmarkLookup(b *testing.B) {
	const services = 1000
	r := New(clock.New(), 0)
	reference := struct {
		sync.RWMutex
		answers map[string]Answer
	}{answers: map[string]Answer{}}
	for i := range services {
		name := fmt.Sprintf("epg%d", i)
		open(b, r, name, "a").pass()
		reference.answers[name] = lookup(r, name)
	}
	for _, name := range []string{"epg500", "epg500-liveness", "unknown", ""} {
		b.Run("name="+cmp.Or(name, "all"), func(b *testing.B) {
			wire := []byte(name)
			b.ReportAllocs()
			for b.Loop() {
				r.Lookup(wire, 0)
			}
		})
	}
	b.Run("reference", func(b *testing.B) {
		wire := []byte("epg500")
		b.ReportAllocs()
		for b.Loop() {
			reference.RLock()
			a := reference.answers[string(wire)]
			reference.RUnlock()
			if a.Status != judge.Serving {
				b.Fatal(a.Status)
			}
		}
	})
}

// BenchmarkLookupUnderReports looks up a service while its process reports as fast
// as it can.
func BenchmarkLookupUnderReports(b *testing.B) {
	r := New(clock.New(), 0)
	epg := open(b, r, "epg", "a")
	epg.pass()
	var over atomic.Bool
	var reporter sync.WaitGroup
	reporter.Go(func() {
		for !over.Load() {
			epg.pass()
		}
	})
	name := []byte("epg")
	b.ReportAllocs()
	for b.Loop() {
		r.Lookup(name, 0)
	}
	over.Store(true)
	reporter.Wait()
}

// BenchmarkReport takes reports of 20 landmarks beside other services: one that
// changes nothing, and one that changes the verdict. The reference makes the same
// landmarks of the same facts.
func BenchmarkReport(b *testing.B) {
	const landmarks = 20
	declared := make([]judge.Declared, landmarks)
	facts := make([]Fact, landmarks)
	for i := range declared {
		declared[i] = mainLoop
		declared[i].Name = fmt.Sprintf("loop%d", i)
		facts[i].Reached = true
	}
	failing := append([]Fact{{Reached: true, Open: true, Age: time.Minute}}, facts[1:]...)
	for _, services := range []int{1, 1000, 10_000} {
		r := New(clock.New(), 0)
		for uid := range uint32(MaxServices / MaxServicesPerUser) {
			fill(r, uid, (services-1)/5)
		}
		epg := open(b, r, "epg", "a")
		epg.session.Declare(declared)
		b.Run(fmt.Sprintf("services=%d/same", services), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				epg.session.Report(facts, 0)
			}
		})
		b.Run(fmt.Sprintf("services=%d/changing", services), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				epg.session.Report([2][]Fact{facts, failing}[i%2], 0)
			}
		})
	}
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		var made []judge.Landmark
		for b.Loop() {
			made = make([]judge.Landmark, landmarks)
			for i, f := range facts {
				made[i] = judge.Landmark{Declared: &declared[i], Reached: f.Reached, At: judge.Instant(f.Age), Count: f.Count, Open: f.Open, Lag: f.Lag}
			}
		}
	})
}

// BenchmarkFirstReports has many services report for the first time, as after a
// restart of the sidecar.
func BenchmarkFirstReports(b *testing.B) {
	for _, services := range []int{1000, MaxServices} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			for b.Loop() {
				r := New(clock.New(), 0)
				for i := range services {
					openAs(b, r, AgentID{Service: fmt.Sprintf("epg%d", i), Instance: "a", UID: 0}).pass()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*services), "ns/service")
		})
	}
}
