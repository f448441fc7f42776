package page

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// slowSource is a registry of which a look takes time, so that ages grow meanwhile.
type slowSource struct {
	*registry.Registry
	looks int            // of the feed's goroutine
	after map[int]func() // called after that many looks
	limit int            // looks that are too many
}

func (s *slowSource) Status(name string) (registry.ServiceStatus, bool) {
	if s.looks++; s.looks > s.limit {
		panic("the feed looks without end")
	}
	time.Sleep(10 * time.Millisecond)
	if call := s.after[s.looks]; call != nil {
		call()
	}
	return s.Registry.Status(name)
}

// newSlowSource makes services whose rows are more than fits into an event of changes, and
// have ages in their reasons.
func newSlowSource(t *testing.T, f *fixture) (s *slowSource, services int) {
	services = maxChanges / 300
	for i := range services {
		p := frontendtest.NewProcess(t, f.registry, fmt.Sprintf("s%04d", i), judge.Declared{Name: "d", Kind: judge.KindDeadline, Impact: judge.ImpactCritical, Within: time.Second})
		p.Report(registry.Fact{Reached: true, Open: true, Pending: 1, Age: 2 * time.Second, Reason: strings.Repeat("<", 255)})
	}
	return &slowSource{Registry: f.registry, after: make(map[int]func()), limit: 4 * services}, services
}

// A page is opened though all services change without end, and more than fits into an
// event of changes. It gets the state of all.
func TestOverviewOfServicesThatChangeWithoutEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		source, services := newSlowSource(t, f)
		o := newOverview(t.Context(), New(Config{Source: source, Checkers: f.checkers}))
		size := 0
		for _, k := range o.services {
			size += len(k.text)
			if k.text == nil || k.bars == "" || len(k.past) == 0 {
				t.Errorf("%s: got the row %q, the bars %q, the band %v, want all of them", k.row.Name, k.text, k.bars, k.past)
			}
		}
		if len(o.services) != services || size < maxChanges || source.looks > 2*services {
			t.Errorf("got %d services in %d bytes after %d looks, want %d in more than %d, and a look for the row and the bars of each", len(o.services), size, source.looks, services, maxChanges)
		}
	})
}

// The feed ends although it looks at all services for a page that was just opened.
func TestStopEndsTheFirstLook(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		source, _ := newSlowSource(t, f)
		ctx, stop := context.WithCancel(t.Context())
		source.after[10] = stop
		f.server = New(Config{Source: source, Checkers: f.checkers})
		ended := make(chan error)
		go func() { ended <- f.server.Run(ctx) }()
		b := f.open("")
		if err := <-ended; err != nil {
			t.Error(err)
		}
		<-b.ended
		synctest.Wait()
		if source.looks > 20 {
			t.Errorf("the feed looked %d times, want some 10", source.looks)
		}
	})
}
