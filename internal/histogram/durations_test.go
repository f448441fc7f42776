package histogram

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// Each duration is in the bucket that Prometheus's definition gives it: above
// 2^((n-1)/4) seconds, and at most 2^(n/4).
func TestBucketsArePrometheus(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	durations := []time.Duration{time.Microsecond, time.Second, 2 * time.Second, time.Second / 4, 4096 * time.Second}
	for range 2000 {
		durations = append(durations, time.Duration(math.Exp(random.Float64()*math.Log(4e12-1e3)))+1000)
	}
	for _, d := range durations {
		var h Durations
		h.Observe(d)
		c := h.Counts()
		if c.Count != 1 || c.Sum != d || len(c.Buckets) != 1 {
			t.Fatalf("%v: got %+v, want it in one bucket", d, c)
		}
		for n := range c.Buckets {
			lower, upper := math.Exp2(float64(n-1)/4), math.Exp2(float64(n)/4)
			if s := d.Seconds(); s <= lower*(1-1e-12) || s > upper*(1+1e-12) {
				t.Errorf("%v is in the bucket from %v to %v s", d, lower, upper)
			}
		}
	}
}

func TestBoundIsOfTheLowerBucket(t *testing.T) {
	for _, exponent := range []int{-8, -1, 0, 5} {
		var h Durations
		h.Observe(time.Duration(math.Ldexp(1e9, exponent)))
		if n := h.Counts().Buckets[4*exponent]; n != 1 {
			t.Errorf("2^%d s: got %v, want it in bucket %d", exponent, h.Counts().Buckets, 4*exponent)
		}
	}
}

func TestExtremesAreCounted(t *testing.T) {
	var h Durations
	for _, d := range []time.Duration{-time.Second, 0, 1, 900, time.Duration(math.MaxInt64 / 2)} {
		h.Observe(d)
	}
	c := h.Counts()
	if c.Count != 5 || c.Zero != 4 || c.Buckets[4*lastExponent] != 1 || c.Sum != time.Duration(math.MaxInt64/2)+901 {
		t.Errorf("got %+v, want four zeros and one in the last bucket", c)
	}
}

func TestConcurrentObservationsAreAllCounted(t *testing.T) {
	var h Durations
	var observers sync.WaitGroup
	for range 4 {
		observers.Go(func() {
			for i := range 1000 {
				h.Observe(time.Duration(i) * time.Millisecond)
			}
		})
	}
	observers.Wait()
	if c := h.Counts(); c.Count != 4000 || c.Sum != 4*499500*time.Millisecond {
		t.Errorf("got %d in %v, want 4000 in %v", c.Count, c.Sum, 4*499500*time.Millisecond)
	}
}

// A user may report ten thousand services, with any durations.
func TestMemoryIsBounded(t *testing.T) {
	if most := unsafe.Sizeof(Durations{}) + octaves*unsafe.Sizeof(octave{}); most > 1400 {
		t.Errorf("a full histogram takes %d bytes, want 1400 at most", most)
	}
}

func BenchmarkObserve(b *testing.B) {
	var h Durations
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.Observe(time.Duration(i&0xfffff) * time.Microsecond)
	}
}
