package evidence

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Programs send what they like: it is cut, and does not change what a terminal shows.
func TestBounded(t *testing.T) {
	many := make([]string, 100_000)
	many[0] = "a\x1b" + strings.Repeat("é", MaxName)
	e := Evidence{
		Landmarks: many,
		Summary:   "a\x1b[2Jb\nc" + strings.Repeat("é", MaxSummary),
		Text:      "a\x1b\tb\n\u202ec\xff" + strings.Repeat("é", MaxText),
	}.Bounded()
	if len(e.Landmarks) != MaxLandmarks || len(e.Summary) > MaxSummary || len(e.Text) > MaxText {
		t.Errorf("%d landmarks, a summary of %d and a text of %d bytes", len(e.Landmarks), len(e.Summary), len(e.Text))
	}
	if cap(e.Landmarks) > MaxLandmarks || len(e.Landmarks[0]) > MaxName || !strings.HasPrefix(e.Landmarks[0], "a é") {
		t.Errorf("of the landmarks %d are kept, the first as %q", cap(e.Landmarks), e.Landmarks[0])
	}
	if !strings.HasPrefix(e.Summary, "a [2Jb cé") || !strings.HasPrefix(e.Text, "a \tb\n c?é") {
		t.Errorf("%q\n%q", e.Summary[:20], e.Text[:20])
	}
	if !utf8.ValidString(e.Summary) || !utf8.ValidString(e.Text) {
		t.Error("a character is cut")
	}
	if s := (Evidence{Summary: "main thread spinning, 98 % of a core", Text: "a\n\tb\n"}); s.Bounded().Text != s.Text || s.Bounded().Summary != s.Summary {
		t.Errorf("%+v", s.Bounded())
	}
}
