package page

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/terminal"
)

// Evidence returns what the processes of services did when their work began to fail. Its
// methods are safe for concurrent use.
type Evidence interface {
	// Evidence returns the evidence of the service, the oldest first, and whether the
	// service is known.
	Evidence(service string) ([]registry.Evidence, bool)
	// LatestEvidence returns the Number of the latest, 0 if there is none.
	LatestEvidence(service string) uint64
}

// evidenceJSON is what one source says of one process. Its text, which may be long, is
// fetched by itself.
type evidenceJSON struct {
	Number  uint64 `json:"number"`
	Summary string `json:"summary"`
	From    string `json:"from"`
	Text    bool   `json:"text,omitempty"`  // there is one
	At      int64  `json:"at"`              // when it was captured
	Alone   bool   `json:"alone,omitempty"` // without a change of the verdict
}

// addEvidence adds the evidence of the service to the changes that it belongs to.
// Evidence without a change goes to the one that was the latest when it was captured. A
// client that may not see it gets only how much there is.
func (f *feed) addEvidence(service string, changes []registry.Change, all []changeJSON, visible bool) {
	if f.config.Evidence == nil {
		return
	}
	captured, _ := f.config.Evidence.Evidence(service)
	for _, e := range captured {
		i := changeOfEvidence(changes, e)
		if i < 0 {
			continue
		}
		if !visible {
			all[i].Withheld++
			continue
		}
		all[i].Evidence = append(all[i].Evidence, evidenceJSON{
			Number: e.Number, Summary: terminal.Printable(e.Summary), From: sourceOf(e), Text: e.Text != "",
			At: f.elapsed() - e.Age.Milliseconds(), Alone: e.Change == 0,
		})
	}
}

// changeOfEvidence returns the index of the change that the evidence is shown with, -1 if
// that is not kept any more.
func changeOfEvidence(changes []registry.Change, e registry.Evidence) int {
	latest := -1
	for i, c := range changes {
		if e.Change != 0 && c.Number == e.Change {
			return i
		}
		if c.Age >= e.Age {
			latest = i
		}
	}
	if e.Change != 0 {
		return -1
	}
	return latest
}

// sourceOf names the process, who describes it, and why, in the words of landmark history.
func sourceOf(e registry.Evidence) string {
	return describe.EvidenceSource(e.Instance, e.PID, e.Source == evidence.Program) + "; " + describe.EvidenceTrigger(e.Landmarks, e.Change != 0)
}

// serveEvidence answers at /evidence/SERVICE/NUMBER with the text of one evidence.
func (s *Server) serveEvidence(w http.ResponseWriter, r *http.Request, path string) {
	if !frontend.MaySeeEvidence(r.Context()) {
		http.Error(w, "only clients on landmarkd's machine, or with a certificate or a user of -web-config, may see what a program did: ask from there, or use landmark history -evidence", http.StatusForbidden)
		return
	}
	service, number, _ := strings.Cut(path, "/")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || contract.CheckServiceName(service) != nil || s.config.Evidence == nil {
		http.Error(w, "there is no such evidence", http.StatusNotFound)
		return
	}
	all, _ := s.config.Evidence.Evidence(service)
	for _, e := range all {
		if e.Number == n {
			h := w.Header()
			h.Set("Content-Type", "text/plain; charset=utf-8")
			h.Set("Cache-Control", "no-store")
			io.WriteString(w, e.Text)
			return
		}
	}
	http.Error(w, "this evidence is not kept any more", http.StatusNotFound)
}
