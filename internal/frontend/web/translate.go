package web

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/terminal"
)

// answerJSON is an answer in JSON. Durations are in seconds.
type answerJSON struct {
	Service   string  `json:"service"` // "" = all services together
	Status    string  `json:"status"`
	Cause     string  `json:"cause"`
	Reason    string  `json:"reason"`
	Weight    uint8   `json:"weight"`     // % of capacity
	Failing   uint8   `json:"failing"`    // landmarks, at most 255
	Age       float64 `json:"age"`        // of the facts
	StatusAge float64 `json:"status_age"` // since the status last changed
	Changes   uint32  `json:"changes"`    // of status or cause; wraps
}

// writeAnswer writes an answer as JSON, if the request accepts that, or as text.
func writeAnswer(w http.ResponseWriter, r *http.Request, code int, a registry.Answer) {
	if !accepts(r, "application/json") {
		say(w, code, text(a))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	service, _ := a.Service()
	json.NewEncoder(w).Encode(answerJSON{
		Service: service, Status: a.Status.String(), Cause: a.Cause.String(), Reason: a.Reason(), Weight: a.Weight, Failing: a.Failing,
		Age: a.Age.Seconds(), StatusAge: a.StatusAge.Seconds(), Changes: a.Changes,
	})
}

// text returns the answer as two lines: the status, its cause and the reason, and the age
// of the facts. The reason is in part the program's, so what is not printable is escaped.
func text(a registry.Answer) string {
	var b strings.Builder
	b.WriteString(a.Status.String())
	if a.Status != judge.Serving {
		b.WriteString(" " + a.Cause.String())
		if reason := a.Reason(); reason != "" {
			b.WriteString(": " + terminal.Printable(reason))
		}
	}
	if a.Status != judge.ServiceUnknown {
		b.WriteString("\nage: " + duration.Format(a.Age))
	}
	return b.String()
}
