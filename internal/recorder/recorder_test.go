package recorder

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A healthy program writes nothing but ages, and one that is busy all the time little.
func TestRenewalsAreLeftOut(t *testing.T) {
	inBubble(t, func(t *testing.T, m *memory, _ *logtest.Buffer, _ *registry.Registry, p *program) {
		before := len(m.of(journal.TypeFacts))
		for range 4 * 3600 {
			time.Sleep(250 * time.Millisecond)
			p.answer(t, 50*time.Millisecond)
		}
		if n := len(m.of(journal.TypeFacts)) - before; n > 0 {
			t.Errorf("%d lines of facts in an hour of a healthy program", n)
		}
		if n := len(m.of(journal.TypeAges)); n == 0 || n > 12 {
			t.Errorf("%d lines of ages in an hour, want one each five minutes", n)
		}
		for range 2 * 3600 { // each answer takes longer than a quarter of the limit
			time.Sleep(250 * time.Millisecond)
			p.hang(t, 300*time.Millisecond)
			time.Sleep(250 * time.Millisecond)
			p.answer(t, 0)
		}
		if n := len(m.of(journal.TypeFacts)) - before; n == 0 || n > 3*(2*maxLates+2) {
			t.Errorf("%d lines of facts in an hour of a busy program", n)
		}
		facts := m.of(journal.TypeFacts)
		if floor := facts[len(facts)-1].Facts.Instances[0].Process.Landmarks[0].Age.Floor; floor <= 300*time.Millisecond {
			t.Errorf("the floor is %v", floor)
		}
		for range 4 * 1800 {
			time.Sleep(250 * time.Millisecond)
			p.answer(t, 0)
		}
		facts = m.of(journal.TypeFacts)
		if floor := facts[len(facts)-1].Facts.Instances[0].Process.Landmarks[0].Age.Floor; floor != 250*time.Millisecond {
			t.Errorf("of a program that is not busy any more the floor is %v", floor)
		}
	})
}

// Two reports of one pass may differ by some microseconds. If the judge takes a landmark for
// healthy again because of that, the journal must say so.
func TestJitterThatEndsAFailureIsWritten(t *testing.T) {
	inBubble(t, func(t *testing.T, m *memory, _ *logtest.Buffer, _ *registry.Registry, p *program) {
		time.Sleep(400 * time.Millisecond)
		p.hang(t, 400*time.Millisecond)
		time.Sleep(600*time.Millisecond + 1)
		p.hang(t, time.Second+1) // it fails
		time.Sleep(time.Millisecond)
		p.hang(t, time.Second) // and does not, by this report
		time.Sleep(time.Millisecond)
		p.hang(t, time.Second+time.Millisecond)
		var instants []judge.Instant
		for _, l := range m.of(journal.TypeFacts) {
			if in := l.Facts.Instances; len(in) > 0 && in[0].Process != nil && in[0].Process.Landmarks[0].Age.Late {
				instants = append(instants, in[0].Process.Landmarks[0].Age.At)
			}
		}
		if n := len(slices.Compact(instants)); n < 2 {
			t.Errorf("the journal has the instants %v, want both", instants)
		}
	})
}

// Each change is one line of the log and one of the journal.
func TestChangesAreLogged(t *testing.T) {
	inBubble(t, func(t *testing.T, m *memory, log *logtest.Buffer, r *registry.Registry, p *program) {
		time.Sleep(time.Second)
		p.hang(t, 2*time.Second)
		time.Sleep(time.Second)
		p.answer(t, 0)
		if _, err := r.Drain("epg", 0); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`level=INFO msg="verdict changed" service=epg status=SERVING`,
			`level=WARN msg="verdict changed" service=epg status=NOT_SERVING cause=stalled reason="main loop last answered 2 s ago, allowed 1 s" after="1 s"`,
			`level=INFO msg="verdict changed" service=epg status=SERVING after="1 s"`,
			`level=INFO msg="verdict changed" service=epg status=NOT_SERVING cause=draining liveness=SERVING reason="drained by an operator" after="0 ms"`,
		}
		got := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(got) != len(want) {
			t.Fatalf("the log is\n%s", log)
		}
		for i := range want {
			if !strings.HasSuffix(got[i], want[i]) {
				t.Errorf("got  %s\nwant %s", got[i], want[i])
			}
		}
		if n := len(m.of(journal.TypeVerdict)); n != len(want) {
			t.Errorf("%d lines of verdicts, want %d", n, len(want))
		}
		if n := len(m.of(journal.TypeDrain)); n != 1 {
			t.Errorf("%d lines of drains, want 1", n)
		}
		for range 100 {
			p.hang(t, 2*time.Second)
			p.answer(t, 0)
		}
		if n := strings.Count(log.String(), "\n"); n > 40 {
			t.Errorf("%d lines are logged of a service that flaps", n)
		}
	})
}

// A change of startup alone is a line of its own, which says so.
func TestChangeOfStartupIsLogged(t *testing.T) {
	log := new(logtest.Buffer)
	r := New(Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Now: func() judge.Instant { return 0 }})
	s := r.Service("epg")
	change := func(startup judge.Status) {
		var c registry.Change
		for a := range c.Verdicts {
			c.Verdicts[a] = registry.VerdictSummary{Status: judge.NotServing, Cause: judge.Failed, Reason: "no guide"}
		}
		c.Verdicts[judge.Startup] = registry.VerdictSummary{Status: startup}
		s.Changed(c, 0, 0)
	}
	change(judge.NotServing)
	change(judge.Serving)
	change(judge.Serving)
	want := []string{
		`status=NOT_SERVING cause=failed reason="no guide"`,
		`status=NOT_SERVING cause=failed startup=SERVING reason="no guide"`,
		`status=NOT_SERVING cause=failed reason="no guide"`,
	}
	got := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(got) != len(want) {
		t.Fatalf("the log is\n%s", log)
	}
	for i := range want {
		if !strings.HasSuffix(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

// Without a journal changes are logged, and nothing else happens.
func TestWithoutJournal(t *testing.T) {
	log := new(logtest.Buffer)
	r := New(Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Now: func() judge.Instant { return 0 }})
	s := r.Service("epg")
	s.Published(registry.Publication{})
	s.Ended("a", registry.EndLost, 0)
	s.Gone(0)
	s.Changed(registry.Change{}, 0, 0)
	r.Checked("epg", probe.Outcome{})
	r.Reloaded("file", nil)
	if got := r.Earlier("epg"); got != nil {
		t.Errorf("earlier changes: %+v", got)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("the log is %q", log)
	}
}

// Of many equal results of active checks only as many are written as fall and rise may be.
func TestEqualChecksAreLeftOut(t *testing.T) {
	m := new(memory)
	r := New(Config{Journal: m, Logger: slog.New(slog.DiscardHandler), Now: func() judge.Instant { return 100 }})
	for range 3 * maxEqual {
		r.Checked("epg", probe.Outcome{Took: 7})
	}
	r.Checked("epg", probe.Outcome{Took: 7, Err: errors.New("no answer")})
	r.Checked("epg", probe.Outcome{Took: 7})
	checks := m.of(journal.TypeCheck)
	if len(checks) != maxEqual+2 {
		t.Fatalf("%d lines, want %d", len(checks), maxEqual+2)
	}
	if c := checks[maxEqual].Check; c.OK || c.Error != "no answer" || c.Began != 93 {
		t.Errorf("got %+v", c)
	}
}

// Earlier returns what another landmarkd has seen, as the registry has it.
func TestEarlierChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, m *memory, _ *logtest.Buffer, r *registry.Registry, p *program) {
		time.Sleep(time.Second)
		p.hang(t, 2*time.Second)
		all, _ := r.History("epg")
		last := all[len(all)-1]
		m.entries = []journal.Entry{
			{Time: time.Now().Add(-time.Minute), Change: changeOf(last)},
			{Time: time.Now(), Own: true, Change: changeOf(last)},
		}
		got := New(Config{Journal: m, Logger: slog.New(slog.DiscardHandler)}).Earlier("epg")
		if len(got) != 1 || got[0].Age != time.Minute || got[0].Verdicts != last.Verdicts || len(got[0].Landmarks) != 1 {
			t.Fatalf("got %+v, want %+v a minute ago", got, last)
		}
		l, want := got[0].Landmarks[0], last.Landmarks[0]
		if *l.Declared != *want.Declared || l.State != want.State || l.Age != want.Age || l.Open != want.Open || l.Reached != want.Reached {
			t.Errorf("got %+v, want %+v", l, want)
		}
	})
}

// A user whose lines are left out uses name after name. The journal keeps no change of a
// service that is gone when it needs the memory.
func TestGoneServicesAreForgottenWithoutLines(t *testing.T) {
	const uid, names = 65000, 20_000
	j := journal.New(journal.Config{Dir: t.TempDir()})
	now := judge.Instant(time.Hour)
	rec := New(Config{Journal: j, Logger: slog.New(slog.DiscardHandler), Now: func() judge.Instant { return now }})
	rec.budgets.take(uid, userBurst, 0, now)
	for i := range names {
		now = now.Add(400 * time.Millisecond) // enough for the line of the change, and no more
		s := rec.Service(fmt.Sprintf("%080d", i))
		s.Changed(registry.Change{}, uid, now)
		s.Published(registry.Publication{Now: now, Owner: uid, Policy: &registry.Policy{}})
		s.Gone(now)
	}
	kept := 0
	for i := range names {
		kept += len(j.Entries(fmt.Sprintf("%080d", i), time.Time{}))
	}
	if kept == 0 || kept > names*9/10 {
		t.Errorf("of %d services that are gone, %d changes are kept, want some, but not nearly all", names, kept)
	}
}

// Lines of verdicts have the owner, root too, and none if the service has none.
func TestVerdictLinesHaveTheOwner(t *testing.T) {
	for _, owner := range []uint32{0, 65000, registry.NoOwner} {
		m := new(memory)
		rec := New(Config{Journal: m, Logger: slog.New(slog.DiscardHandler), Now: func() judge.Instant { return 0 }})
		rec.Service("epg").Changed(registry.Change{}, owner, 0)
		got := m.of(journal.TypeVerdict)[0].Owner
		if known := owner != registry.NoOwner; known != (got != nil) || known && *got != owner {
			t.Errorf("the line about a service of the owner %d has the owner %v", owner, got)
		}
	}
}
