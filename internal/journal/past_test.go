package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Users of these tests.
const (
	flapper = 65000
	honest  = 65001
)

// entry returns an entry of this run with a reason of n bytes.
func entry(at time.Time, n int) Entry {
	return Entry{Time: at, Own: true, Change: verdict("", strings.Repeat("x", n)).Verdict}
}

// check fails the test unless the sizes are those of the entries.
func (p *past) check(t *testing.T) {
	t.Helper()
	all := 0
	for service, c := range p.byService {
		size := 0
		for _, e := range c.entries {
			size += e.size(service)
		}
		if len(c.entries) == 0 || size != c.size {
			t.Errorf("%s has %d entries of %d bytes, and counts %d", service, len(c.entries), size, c.size)
		}
		all += size
	}
	if all != p.size {
		t.Errorf("there are %d bytes, and it counts %d", all, p.size)
	}
}

// TestPastIsBounded adds more entries than may be kept.
func TestPastIsBounded(t *testing.T) {
	var p past
	now := time.Now()
	p.add("old", honest, entry(now.Add(-48*time.Hour), 1000))
	for i := range 20_000 {
		p.add(fmt.Sprint("s", i%100), honest, entry(now, 1000))
	}
	if n := len(p.since("s1", time.Time{})); n == 0 || n > MaxEntries || p.size > maxPast {
		t.Errorf("%d entries of one service, %d bytes in all", n, p.size)
	}
	if p.since("old", time.Time{}) != nil {
		t.Error("an old entry is kept")
	}
	p.check(t)
}

// TestFlappingDropsNoOthersPast has one user whose services change all the time.
func TestFlappingDropsNoOthersPast(t *testing.T) {
	for _, services := range []int{1, 50, 2000} {
		var p past
		now := time.Now()
		for range MaxEntries {
			p.add("epg", honest, entry(now, 100))
		}
		p.add("vod", honest, entry(now, 100))
		p.add("old name", 0, entry(now, 100))
		for i := range 60_000 {
			p.add(fmt.Sprint("flapping", i%services), flapper, entry(now, 1000))
		}
		for service, want := range map[string]int{"epg": MaxEntries, "vod": 1, "old name": 1} {
			if n := len(p.since(service, time.Time{})); n != want {
				t.Errorf("beside %d services of one user that flap, %s has %d entries left, want %d", services, service, n, want)
			}
		}
		if p.size > maxPast*5/4 {
			t.Errorf("beside %d services of one user that flap, there are %d bytes", services, p.size)
		}
		p.check(t)
	}
}

func TestLevel(t *testing.T) {
	for _, c := range []struct {
		sizes      []int
		most, want int
	}{{nil, 10, 10}, {[]int{4, 3}, 10, 10}, {[]int{9, 3}, 10, 7}, {[]int{9, 9, 1}, 11, 5}} {
		if got := level(c.sizes, c.most); got != c.want {
			t.Errorf("the most of each of %v, that together have %d, is %d, want %d", c.sizes, c.most, got, c.want)
		}
	}
}

// TestManyUsersDropNoneOfRoots has hundreds of users whose services change all the time.
func TestManyUsersDropNoneOfRoots(t *testing.T) {
	var p past
	now := time.Now()
	for i := range 6 * MaxEntries {
		p.add(fmt.Sprint("root's", i%6), 0, entry(now, 1000))
	}
	for i := range 60_000 {
		p.add(fmt.Sprint("flapping", i%300), flapper+uint32(i%300), entry(now, 1000))
	}
	for i := range 6 {
		if n := len(p.since(fmt.Sprint("root's", i), time.Time{})); n != MaxEntries {
			t.Errorf("beside services of 300 users that flap, one of root's has %d entries left, want %d", n, MaxEntries)
		}
	}
	if p.size > maxPast*5/4 {
		t.Errorf("there are %d bytes", p.size)
	}
	p.check(t)
}

// TestDroppedEntriesTakeNoMemory has many services that change often: most of their entries
// are dropped.
func TestDroppedEntriesTakeNoMemory(t *testing.T) {
	var p past
	now := time.Now()
	for i := range 2000 {
		for range MaxEntries + 1 {
			p.add(fmt.Sprint("flapping", i), flapper, entry(now, 0))
		}
	}
	entries, room := 0, 0
	for _, c := range p.byService {
		entries += len(c.entries)
		room += cap(c.entries)
	}
	if room > 3*entries {
		t.Errorf("there are %d entries in %d services, and room for %d", entries, len(p.byService), room)
	}
	p.check(t)
}

// TestLargestServicesLoseFirst has one user with services of which one changes often.
func TestLargestServicesLoseFirst(t *testing.T) {
	var p past
	now := time.Now()
	for i := range 1000 {
		p.add(fmt.Sprint("calm", i), honest, entry(now, 10))
	}
	for i := range 40_000 {
		p.add(fmt.Sprint("flapping", i%40), honest, entry(now, 1000))
	}
	for i := range 1000 {
		if n := len(p.since(fmt.Sprint("calm", i), time.Time{})); n != 1 {
			t.Fatalf("the %dth calm service has %d entries, want 1", i, n)
		}
	}
	p.check(t)
}

// TestLastEntriesStay has more known services than there is room for, and names that are
// given up again and again.
func TestLastEntriesStay(t *testing.T) {
	var p past
	now := time.Now()
	const known = 8000
	for i := range known {
		p.add(fmt.Sprint("known", i), honest, entry(now, 1000))
	}
	for i := range 40_000 {
		name := fmt.Sprint("gone", i)
		p.add(name, flapper, entry(now, 1000))
		p.forget(name)
	}
	for i := range known {
		if got := p.since(fmt.Sprint("known", i), time.Time{}); len(got) != 1 || got[0].Readiness.Reason == "" {
			t.Fatalf("the %dth known service has the entries %+v, want its last", i, got)
		}
	}
	if most := known*1600 + maxPast; p.size > most {
		t.Errorf("there are %d bytes, want at most %d", p.size, most)
	}
	p.check(t)
}

// TestMakingRoomIsRare bounds how often all services are looked at, also if nothing can be
// dropped.
func TestMakingRoomIsRare(t *testing.T) {
	var p past
	now := time.Now()
	for i := range 8000 {
		p.add(fmt.Sprint("known", i), honest, entry(now, 1000))
	}
	rooms, last := 0, 0
	for i := range 10_000 {
		p.add(fmt.Sprint("known", i%8000), honest, entry(now, 1000))
		if p.roomTo != last {
			rooms, last = rooms+1, p.roomTo
		}
	}
	if rooms == 0 || rooms > 20 {
		t.Errorf("room was made %d times at 10,000 changes, want some times, at most 20", rooms)
	}
}

// TestRecalledNamesOfOneUserDropNoOthers has a journal of an earlier run that has many
// services of one user. Lines without an owner are recalled, too.
func TestRecalledNamesOfOneUserDropNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // recall rests
		dir := t.TempDir()
		lines := []Line{{Type: TypeJournal, Journal: &Header{Format: Format}}}
		add := func(service string, owner *uint32, n int) {
			for range n {
				l := verdict(service, "because")
				l.Owner, l.Time = owner, time.Now()
				lines = append(lines, l)
			}
		}
		add("epg", new(uint32(honest)), MaxEntries)
		add("root's", new(uint32(0)), 2)
		add("of an older line", nil, 2)
		for i := range 20_000 {
			add(fmt.Sprintf("%090d", i), new(uint32(flapper)), 1)
		}
		name := time.Now().UTC().Format(nameLayout)
		if err := os.WriteFile(filepath.Join(dir, name), encode(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		j := New(Config{Dir: dir})
		j.recall(t.Context(), []string{name})
		for service, want := range map[string]int{"epg": MaxEntries, "root's": 2, "of an older line": 2} {
			if n := len(j.Entries(service, time.Time{})); n != want {
				t.Errorf("beside 20,000 names of one user %d changes of %s are recalled, want %d", n, service, want)
			}
		}
		if c := j.past.byService["epg"]; c == nil || c.owner != honest || c.known {
			t.Errorf("epg is recalled as %+v, want its owner, and not that this landmarkd knows it", c)
		}
		j.past.check(t)
	})
}

// TestRecallRestsAndStops has a large journal of an earlier run.
func TestRecallRestsAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		name := time.Now().UTC().Format(nameLayout)
		lines := encode([]Line{{Type: TypeJournal, Time: time.Now(), Journal: &Header{Format: Format}}})
		for len(lines) < 3*recallBlock {
			l := verdict("epg", "before")
			l.Time = time.Now()
			lines = append(lines, encode([]Line{l})...)
		}
		if err := os.WriteFile(filepath.Join(dir, name), lines, 0o600); err != nil {
			t.Fatal(err)
		}
		r := recaller{ctx: t.Context(), began: time.Now().Add(-time.Second)} // it has read for a second
		began := time.Now()
		r.file(filepath.Join(dir, name))
		if rest, n := time.Since(began), len(r.earlier.since("epg", time.Time{})); rest < recallRest*time.Second || n != MaxEntries {
			t.Errorf("after a second of reading it rested for %v, and found %d changes", rest, n)
		}

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r = recaller{ctx: ctx, began: time.Now()}
		r.file(filepath.Join(dir, name))
		if n := len(r.earlier.byService); n != 0 {
			t.Errorf("after the end it has read %d services, want none", n)
		}
	})
}
