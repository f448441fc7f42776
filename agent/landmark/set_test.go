package landmark

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSetKeepsDeclarationsInOrder(t *testing.T) {
	var s Set
	s.Loop("main loop", time.Second)
	s.Alive("reader", 24*time.Hour, StartWithin(time.Minute), WithImpact(Readiness))
	s.Loop("ui", 100*time.Millisecond, WithImpact(Informational), StartWithin(time.Millisecond), Post(func(func()) {}))

	want := []Declaration{
		{Name: "main loop", Kind: KindLoop, Impact: Critical, Within: time.Second},
		{Name: "reader", Kind: KindAlive, Impact: Readiness, Within: 24 * time.Hour, StartWithin: time.Minute},
		{Name: "ui", Kind: KindLoop, Impact: Informational, Within: 100 * time.Millisecond, StartWithin: time.Millisecond},
	}
	var got []Declaration
	for _, l := range s.Landmarks() {
		got = append(got, l.Declaration)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("declarations (-want +got):\n%s", diff)
	}
	if err := s.Err(); err != nil {
		t.Errorf("Err() = %v for a set without fault", err)
	}
}

func TestSetRemembersBadDeclarations(t *testing.T) {
	tests := []struct {
		name    string
		declare func(*Set)
		want    string // in the error
	}{
		{"no name", func(s *Set) { s.Alive("", time.Second) }, `landmark ""`},
		{"long name", func(s *Set) { s.Alive(strings.Repeat("x", 129), time.Second) }, "1 to 128 bytes, not 129"},
		{"control character", func(s *Set) { s.Loop("a\nb", time.Second) }, `"a\nb"`},
		{"invisible character", func(s *Set) { s.Loop("a\u200bb", time.Second) }, "printable UTF-8"},
		{"not UTF-8", func(s *Set) { s.Loop("a\xff", time.Second) }, `"a\xff"`},
		{"too short", func(s *Set) { s.Alive("x", 100*time.Millisecond-1) }, "within must be 100ms to 24h"},
		{"too long", func(s *Set) { s.Loop("x", 24*time.Hour+1) }, "within must be 100ms to 24h"},
		{"negative", func(s *Set) { s.Loop("x", -time.Second) }, "within must be 100ms to 24h"},
		{"start too short", func(s *Set) { s.Loop("x", time.Second, StartWithin(1)) }, "StartWithin must be 1ms to 24h"},
		{"start negative", func(s *Set) { s.Alive("x", time.Second, StartWithin(-1)) }, "StartWithin must be 1ms to 24h"},
		{"impact", func(s *Set) { s.Alive("x", time.Second, WithImpact(5)) }, "impact 5"},
		{"nil post", func(s *Set) { s.Loop("x", time.Second, Post(nil)) }, "Post was given a nil function"},
		{"twice", func(s *Set) { s.Alive("x", time.Second); s.Loop("x", time.Second) }, `"x": declared twice`},
		{"too many", func(s *Set) {
			for i := range maxLandmarks + 1 {
				s.Alive(fmt.Sprint("worker ", i), time.Second)
			}
		}, `"worker 1024": a set holds at most 1024`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s Set
			tt.declare(&s)
			err := s.Err()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Err() = %v, want it to say %q", err, tt.want)
			}
			s.Alive("", time.Minute)
			if again := s.Err(); again != err {
				t.Errorf("the first error %v gave way to %v", err, again)
			}
		})
	}
}

func TestBadLandmarksAreUsableAndUnreported(t *testing.T) {
	var s Set
	a := s.Alive("", time.Second)
	l := s.Loop("", time.Second)
	a.Reach()
	if l.C() == nil {
		t.Error("a Loop with a bad declaration has no channel to select on")
	}
	if n := len(s.Landmarks()); n != 0 {
		t.Errorf("%d bad landmarks would be reported", n)
	}
}

func TestNilIsHarmless(t *testing.T) {
	var s *Set
	s.Alive("a", time.Second).Reach()
	new(Alive).Reach()
	select {
	case <-s.Loop("l", time.Second).C():
		t.Error("a nil Loop gave a command")
	default:
	}
}

func TestWatchersHearOfNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		first, stopFirst := s.Watch()
		second, stopSecond := s.Watch()
		defer stopSecond()

		expect := func(what string, c <-chan struct{}, want bool) {
			t.Helper()
			select {
			case <-c:
				if !want {
					t.Errorf("%s: woken without cause", what)
				}
			default:
				if want {
					t.Errorf("%s: not woken", what)
				}
			}
		}
		both := func(what string, want bool) {
			t.Helper()
			expect(what+", first watcher", first, want)
			expect(what+", second watcher", second, want)
		}

		both("nothing", false)
		a := s.Alive("a", time.Second)
		both("an Alive declared", true)
		a.Reach()
		both("first reached", true)
		a.Reach()
		both("reached again", false)

		alive := s.Landmarks()[0]
		alive.Read(time.Now())
		a.Reach()
		both("reached after a fresh reading", false)
		alive.Read(time.Now())
		time.Sleep(2 * time.Second)
		alive.Read(time.Now())
		both("overdue", false)
		a.Reach()
		both("reached when overdue", true)
		a.Reach()
		both("reached in time again", false)

		l := s.Loop("l", time.Second)
		both("a Loop declared", true)
		s.Landmarks()[1].PutCommand(time.Now())
		both("a command put", false)
		(<-l.C())()
		both("a command answered", true)

		stopFirst()
		s.Alive("b", time.Second)
		expect("stopped watcher", first, false)
		expect("other watcher", second, true)
	})
}
