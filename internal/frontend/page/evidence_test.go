package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
)

// Evidence is shown with its change soon after it was captured, and its text on request,
// to those who may see it. All others see only that there is some.
func TestEvidence(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.run(Config{Source: f.registry, Checkers: f.checkers, Evidence: f.registry})
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		stranger, trusted := f.open("epg"), f.openAs("epg", frontend.WithEvidence)
		p.Stall()
		time.Sleep(detailTicks * tick)
		stranger.events(t)
		trusted.events(t)
		p.Session.AddEvidence(evidence.Evidence{Source: evidence.Program, Landmarks: []string{"main loop"}, Summary: "it is in main.hang", Text: "main.hang()\n"}, 0)
		time.Sleep(detailTicks * tick)

		past := last(t, trusted.events(t), "past").Data.Changes
		c := past[len(past)-1]
		if len(c.Evidence) != 1 || c.Evidence[0].Summary != "it is in main.hang" || !c.Evidence[0].Text || c.Evidence[0].From != "a, by its agent; failing main loop" || c.Withheld != 0 {
			t.Fatalf("got %+v, want the evidence", c)
		}
		past = last(t, stranger.events(t), "past").Data.Changes
		if c := past[len(past)-1]; len(c.Evidence) != 0 || c.Withheld != 1 {
			t.Errorf("a stranger: got %+v, want no evidence, and 1 that is withheld", c)
		}
		if stranger.has("main.hang") {
			t.Error("a stranger got the summary")
		}

		for _, tt := range []struct {
			path    string
			trusted bool
			code    int
		}{
			{"/evidence/epg/1", true, http.StatusOK},
			{"/evidence/epg/1", false, http.StatusForbidden},
			{"/evidence/epg/2", true, http.StatusNotFound},
			{"/evidence/vod/1", true, http.StatusNotFound},
			{"/evidence/epg", true, http.StatusNotFound},
			{"/evidence/epg/x", true, http.StatusNotFound},
			{"/evidence/-/1", true, http.StatusNotFound},
		} {
			r := httptest.NewRequest("GET", tt.path, nil)
			if tt.trusted {
				r = r.WithContext(frontend.WithEvidence(r.Context()))
			}
			w := httptest.NewRecorder()
			f.server.ServeHTTP(w, r)
			if shown := strings.Contains(w.Body.String(), "main.hang"); w.Code != tt.code || shown != (tt.code == http.StatusOK) {
				t.Errorf("%s, trusted %v: got %d, %q, want %d", tt.path, tt.trusted, w.Code, w.Body, tt.code)
			}
		}
	})
}

// What is without a change says so, in the words of landmark history.
func TestEvidenceWithoutChange(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		time.Sleep(time.Minute)
		f.run(Config{Source: f.registry, Checkers: f.checkers, Evidence: f.registry})
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		time.Sleep(time.Second)
		p.Session.AddEvidence(evidence.Evidence{Source: evidence.Program, Landmarks: []string{"cache"}, Summary: "it waits"}, 0)
		past := last(t, f.openAs("epg", frontend.WithEvidence).events(t), "past").Data.Changes
		e := past[len(past)-1].Evidence
		if len(e) != 1 || e[0].From != "a, by its agent; no change of the verdict: failing cache" || !e[0].Alone {
			t.Errorf("got %+v, want one without a change", e)
		}
	})
}

// Evidence that belongs to no change is shown with the one before it, and that of a change
// which is not kept any more is not shown.
func TestChangeOfEvidence(t *testing.T) {
	changes := []registry.Change{{Number: 7, Age: 10 * time.Second}, {Number: 8, Age: 5 * time.Second}}
	for _, tt := range []struct {
		change uint64
		age    time.Duration
		want   int
	}{
		{7, 0, 0}, {8, time.Hour, 1}, {6, 0, -1}, {0, 20 * time.Second, -1}, {0, 7 * time.Second, 0}, {0, time.Second, 1},
	} {
		if got := changeOfEvidence(changes, registry.Evidence{Change: tt.change, Age: tt.age}); got != tt.want {
			t.Errorf("of change %d, %v old: got %d, want %d", tt.change, tt.age, got, tt.want)
		}
	}
}
