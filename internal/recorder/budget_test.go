package recorder

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

// A user's service that changes all the time writes a limited number of bytes. Then a full
// line follows the gap.
func TestUserCannotFillTheJournal(t *testing.T) {
	const user = 4711 // neither root's nor this process's
	var b budgets
	now, taken := judge.Instant(0), 0
	for b.take(user, 1000, 0, now) {
		taken += 1000
	}
	if taken > userBurst || taken < userBurst-1000 {
		t.Errorf("%d bytes at once, want %d", taken, userBurst)
	}
	if !b.take(user+1, 1000, 0, now) || !b.take(0, 1000, 0, now) {
		t.Error("another user's lines are left out, too")
	}
	now = now.Add(time.Second)
	if b.take(user, 0, resumeAt, now) || !b.take(user, userRate, 0, now) || b.take(user, userRate, 0, now) {
		t.Error("after a second another number of bytes than the rate is free")
	}
	if now = now.Add(resumeAt / userRate * time.Second); !b.take(user, 0, resumeAt, now) {
		t.Error("nothing can be written any more")
	}
}

// A program that landmarkd checks may make each result another than the one before. It
// cannot displace what the journal has of others, whoever its service belongs to.
func TestCheckedProgramCannotFillTheJournal(t *testing.T) {
	for _, owner := range []uint32{registry.NoOwner, 4711} {
		t.Run(fmt.Sprint("owner ", owner), func(t *testing.T) {
			m := new(memory)
			now := judge.Instant(0)
			rec := New(Config{Journal: m, Logger: slog.New(slog.DiscardHandler), Now: func() judge.Instant { return now }})
			publish := func(name string, owner uint32) {
				rec.Service(name).Published(registry.Publication{Now: now, Owner: owner, Policy: &registry.DefaultPolicy})
			}
			s := rec.Service("checked")
			publication := registry.Publication{Owner: owner, Policy: &registry.DefaultPolicy}
			s.Published(publication)
			wrong := errors.New(strings.Repeat("x", 100_000))
			check := func() (written int) {
				before := len(m.lines)
				for i := range 10 {
					o := probe.Outcome{Took: 1}
					if i%2 == 0 {
						o.Err = wrong
					}
					rec.Checked("checked", o)
				}
				return len(m.lines) - before
			}
			for n := 0; check() > 0; n++ {
				if n*5*len(wrong.Error()) > 2*userBurst {
					t.Fatalf("%d results of 100 kB each are written", 5*n)
				}
			}
			if gaps := m.of(journal.TypeGap); len(gaps) != 1 || gaps[0].Service != "checked" {
				t.Fatalf("the lines of gaps are %+v, want one", gaps)
			}
			publish("of another user", 4712)
			publish("of root", 0)
			if facts := m.of(journal.TypeFacts); facts[len(facts)-1].Service != "of root" || facts[len(facts)-2].Service != "of another user" {
				t.Error("other users' lines are left out, too")
			}
			now = now.Add(2 * resumeAt / userRate * time.Second)
			publication.Now = now
			s.Published(publication)
			if facts := m.of(journal.TypeFacts); facts[len(facts)-1].Service != "checked" || !facts[len(facts)-1].Facts.Full {
				t.Error("no full line follows the gap")
			}
			if check() != 10 {
				t.Error("after the gap no results are written")
			}
		})
	}
}

// After a gap the present result of active checks is written again, though it is equal to
// those before.
func TestResultIsWrittenAgainAfterGap(t *testing.T) {
	m := new(memory)
	now := judge.Instant(0)
	rec := New(Config{Journal: m, Logger: slog.New(slog.DiscardHandler), Now: func() judge.Instant { return now }})
	s := rec.Service("checked")
	for range 3 * maxEqual {
		rec.Checked("checked", probe.Outcome{Took: 1})
	}
	for n := userBurst; n > 0; n /= 2 {
		rec.budgets.take(registry.NoOwner, n, 0, 0)
	}
	s.Changed(registry.Change{}, registry.NoOwner, 0)
	if len(m.of(journal.TypeGap)) != 1 {
		t.Fatal("there is no gap")
	}
	rec.Checked("checked", probe.Outcome{Took: 1})
	now = now.Add(2 * resumeAt / userRate * time.Second)
	s.Published(registry.Publication{Now: now, Owner: registry.NoOwner, Policy: &registry.DefaultPolicy})
	rec.Checked("checked", probe.Outcome{Took: 1})
	if n := len(m.of(journal.TypeCheck)); n != maxEqual+1 {
		t.Errorf("%d results are written, want %d", n, maxEqual+1)
	}
}

// A service whose lines are left out says so, and begins again with a full line.
func TestGapEndsWithFullLine(t *testing.T) {
	inBubble(t, func(t *testing.T, m *memory, _ *logtest.Buffer, r *registry.Registry, p *program) {
		rec := New(Config{Journal: m, Logger: slog.New(slog.DiscardHandler), Now: func() judge.Instant { return 0 }})
		s := rec.Service("other").(*service)
		s.owner = 4711
		for !s.overBudget {
			s.Changed(registry.Change{}, s.owner, 0)
		}
		lines := len(m.lines)
		s.Changed(registry.Change{}, s.owner, 0)
		if last := m.lines[len(m.lines)-1]; last.Type != journal.TypeGap || len(m.lines) != lines {
			t.Fatalf("the last line is %+v", last)
		}
		now := judge.Instant(resumeAt / userRate * time.Second)
		publication := registry.Publication{
			Now: now, Owner: s.owner, Policy: &registry.DefaultPolicy,
			Facts: judge.Service{Instances: []*judge.Instance{{Name: "a"}}},
		}
		s.Published(publication)
		facts := m.of(journal.TypeFacts)
		if last := facts[len(facts)-1]; last.Service != "other" || !last.Facts.Full {
			t.Errorf("the first line after the gap is %+v", last)
		}
		if last := m.of(journal.TypeSession); last[len(last)-1].Service == "other" {
			t.Error("the session of a process that was there begins once more")
		}
	})
}
