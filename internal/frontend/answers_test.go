package frontend

import (
	"testing"
	"testing/synctest"
	"time"
)

// All answers are counted. Those from memory are timed as a sample, those that wait all.
func TestAnswersAreCountedAndTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a Answers
		for range 10 * sampleEvery {
			timing := a.Begin()
			time.Sleep(20 * time.Microsecond)
			a.End(timing)
		}
		a.Begin() // gets no answer
		for range 3 {
			timing := a.Begin()
			timing.Wait()
			time.Sleep(time.Second)
			a.End(timing)
		}
		if n := a.Count(); n != 10*sampleEvery+3 {
			t.Errorf("got %d answers, want %d", n, 10*sampleEvery+3)
		}
		if c := a.Memory(); c.Count != 10 || c.Sum != 200*time.Microsecond {
			t.Errorf("from memory: got %d in %v, want 10 in 200 µs", c.Count, c.Sum)
		}
		if c := a.Waited(); c.Count != 3 || c.Sum != 3*time.Second {
			t.Errorf("waited: got %d in %v, want 3 in 3 s", c.Count, c.Sum)
		}
	})
}

// Of answers that are sent together, as many are timed as of others.
func TestAnswersTogetherAreCountedAndTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int{1, 3, 32, sampleEvery} {
			var a Answers
			const all = 3 * sampleEvery * 64
			for range all / n {
				timing := a.BeginAll(n)
				time.Sleep(time.Millisecond)
				a.EndAll(timing, n)
			}
			a.EndAll(a.BeginAll(n), 0) // no request gets an answer
			if got := a.Count(); got != all {
				t.Errorf("together %d: counted %d answers, want %d", n, got, all)
			}
			const timed = all / sampleEvery
			if c := a.Memory(); c.Count != timed || c.Sum != timed*time.Millisecond {
				t.Errorf("together %d: timed %d in %v, want %d of 1 ms", n, c.Count, c.Sum, timed)
			}
		}
	})
}

// Of answers that are begun together, few may be sent: the others were no requests. So
// many are timed as of others.
func TestFewAnswersOfManyAreCountedAndTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a Answers
		const all = 3 * sampleEvery
		for range all {
			timing := a.BeginAll(sampleEvery / 2)
			time.Sleep(time.Millisecond)
			a.EndAll(timing, 1)
		}
		if c := a.Memory(); a.Count() != all || c.Count != all/sampleEvery {
			t.Errorf("timed %d of %d answers, want %d of %d", c.Count, a.Count(), all/sampleEvery, all)
		}
	})
}

func BenchmarkAnswers(b *testing.B) {
	var a Answers
	b.ReportAllocs()
	for b.Loop() {
		timing := a.Begin()
		a.End(timing)
	}
}
