package registry

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
)

// policy returns the default policy, changed by f.
func policy(f func(*Policy)) Policy {
	p := DefaultPolicy
	f(&p)
	return p
}

// TestConfiguredServiceIsExpected configures a service that nobody reports: it
// is not serving, and so is the whole, until it is reported, or expected no
// more.
func TestConfiguredServiceIsExpected(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		other := open(t, r, "other", "a")
		other.pass()
		r.Configure(map[string]Policy{"epg": DefaultPolicy}, nil)
		for _, name := range []string{"epg", ""} {
			if a := look(r, name); a.Status != judge.NotServing || a.Cause != judge.Unreported {
				t.Errorf("%q is %v, %q", name, a.Status, a.Cause)
			}
		}
		news := r.Subscribe([]byte("epg"))
		defer news.Close()
		r.Configure(nil, nil)
		if a := look(r, "epg"); a.Cause != judge.UnknownName {
			t.Errorf("expected no more it is %v, %q", a.Status, a.Cause)
		}
		if !pending(news) {
			t.Error("that it is expected no more is no news")
		}
		if a := look(r, ""); a.Status != judge.Serving {
			t.Errorf("the whole is %v, %q", a.Status, a.Cause)
		}
		r.Configure(map[string]Policy{"epg": DefaultPolicy}, nil)
		epg := open(t, r, "epg", "a")
		epg.pass()
		if a := look(r, "epg"); a.Status != judge.Serving {
			t.Errorf("reported it is %v, %q", a.Status, a.Cause)
		}
	})
}

// TestReconfiguringKeepsDrains drains a service that was never reported, and
// takes it out of the configuration: it is drained still when a program reports
// it, and forgotten once it is resumed before that.
func TestReconfiguringKeepsDrains(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		inBubble(t, 0, func(t *testing.T, r *Registry) {
			r.BeginGrace()
			r.Configure(map[string]Policy{"epg": DefaultPolicy}, nil)
			r.Drain("epg", 0)
			r.Configure(nil, nil)
			r.Configure(nil, nil)
			want, cause := judge.NotServing, judge.Draining
			if resumed {
				r.Resume("epg", 0)
				synctest.Wait()
				if r.Knows("epg") {
					t.Error("resumed, it is known still")
				}
				want, cause = judge.Serving, judge.None
			}
			open(t, r, "epg", "a").pass()
			if a := look(r, "epg"); a.Status != want || a.Cause != cause {
				t.Errorf("resumed %v: reported it is %v, %q", resumed, a.Status, a.Cause)
			}
		})
	}
}

// TestReconfiguringKeepsWhatIsKnown changes the policy under a service at work:
// nothing of it is lost, and the new policy counts.
func TestReconfiguringKeepsWhatIsKnown(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		epg := open(t, r, "epg", "a")
		epg.pass()
		live(time.Second, epg)
		before := look(r, "epg")
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.StaleAfter = 10 * time.Second })}, nil)
		if a := look(r, "epg"); a.Status != judge.Serving || a.Changes != before.Changes || a.StatusAge != before.StatusAge {
			t.Errorf("reconfigured it is %+v, was %+v", a, before)
		}
		time.Sleep(9 * time.Second)
		if a := look(r, "epg"); a.Cause == judge.Stale {
			t.Errorf("it is %v after 9 s of silence, allowed 10 s", a.Cause)
		}
		time.Sleep(2 * time.Second)
		if a := look(r, "epg"); a.Cause != judge.Stale {
			t.Errorf("it is %q after 11 s of silence, allowed 10 s", a.Cause)
		}
	})
}

// TestDampingByPolicy plays a wedge that is told late and a recovery that is
// told later; the first serving verdict was told at once.
func TestDampingByPolicy(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) {
			p.FallAfter, p.RecoverAfter, p.SlowStart = time.Second, 5*time.Second, 10*time.Second
			p.StaleAfter = time.Hour
		})}, nil)
		epg := open(t, r, "epg", "a")
		epg.pass()
		if a := look(r, "epg"); a.Status != judge.Serving || a.Weight != 100 {
			t.Fatalf("the first verdict is %v at weight %d", a.Status, a.Weight)
		}
		epg.session.Disconnect()
		for _, step := range []struct {
			after  time.Duration
			status judge.Status
			cause  judge.Cause
			weight uint8
		}{
			{time.Second - 1, judge.Serving, judge.None, 1},
			{1, judge.NotServing, judge.Lost, 0},
		} {
			time.Sleep(step.after)
			if a := look(r, "epg"); a.Status != step.status || a.Cause != step.cause || a.Weight != step.weight {
				t.Errorf("falling, it is %v, %q at weight %d; want %+v", a.Status, a.Cause, a.Weight, step)
			}
		}
		back := open(t, r, "epg", "a")
		back.pass()
		for _, step := range []struct {
			after  time.Duration
			status judge.Status
			cause  judge.Cause
			weight uint8
		}{
			{0, judge.NotServing, judge.Recovering, 0},
			{5*time.Second - 1, judge.NotServing, judge.Recovering, 0},
			{1, judge.Serving, judge.None, 1},
			{5 * time.Second, judge.Serving, judge.None, 50},
			{5 * time.Second, judge.Serving, judge.None, 100},
		} {
			time.Sleep(step.after)
			if a := look(r, "epg"); a.Status != step.status || a.Cause != step.cause || a.Weight != step.weight {
				t.Errorf("recovering, it is %v, %q at weight %d; want %+v", a.Status, a.Cause, a.Weight, step)
			}
		}
	})
}

// TestQuorumByPolicy lets one of two processes die where any will do.
func TestQuorumByPolicy(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, r *Registry) {
		r.Configure(map[string]Policy{"epg": policy(func(p *Policy) { p.Quorum = judge.Any })}, nil)
		a, b := open(t, r, "epg", "a"), open(t, r, "epg", "b")
		a.pass()
		b.pass()
		a.session.Disconnect()
		if got := look(r, "epg"); got.Status != judge.Serving || got.Weight != 50 {
			t.Errorf("with one of two it is %v, %q at weight %d", got.Status, got.Cause, got.Weight)
		}
		b.session.Disconnect()
		if got := look(r, "epg"); got.Cause != judge.Lost {
			t.Errorf("with none it is %v, %q", got.Status, got.Cause)
		}
	})
}

// TestDrainByTheProgram takes a draining process out, unless it hides a wedge.
func TestDrainByTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		defer run(c)()
		r := New(c, 0)
		epg := open(t, r, "epg", "a")
		epg.pass()
		epg.session.Drain(true)
		epg.pass()
		if a := look(r, "epg"); a.Status != judge.NotServing || a.Cause != judge.Draining || a.Weight != 0 {
			t.Errorf("draining it is %v, %q at weight %d", a.Status, a.Cause, a.Weight)
		}
		if a := look(r, "epg-liveness"); a.Status != judge.Serving {
			t.Errorf("liveness of a draining program is %v", a.Status)
		}
		epg.session.Drain(false)
		epg.pass()
		if a := look(r, "epg"); a.Status != judge.Serving {
			t.Errorf("resumed it is %v, %q", a.Status, a.Cause)
		}
	})
}
