package journal

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// TestSizeIsNoLessThanWritten has lines as a hostile program makes them longest: the size
// decides how much its user may write.
func TestSizeIsNoLessThanWritten(t *testing.T) {
	const late = judge.Instant(9e18)
	age := Age{Floor: time.Hour, Late: true, At: late, Known: late}
	for _, text := range []string{"", "because", strings.Repeat("\x01", 255), strings.Repeat("\xff", 255), strings.Repeat("\"\\", 127), strings.Repeat("\u2028", 85), strings.Repeat("é<", 60), strings.Repeat("\x7f", 255)} {
		declared := Declared{Name: text, Kind: Kind(judge.KindCondition), Impact: Impact(judge.ImpactInformational), TTL: 24 * time.Hour}
		lines := []Line{
			{Type: TypeSession, Session: &Session{Instance: text, Event: SessionReplaced}},
			{Type: TypeCheck, Check: &Check{Began: late, Took: time.Hour, Own: true, Error: text}},
			{Type: TypePolicy, Policy: &Policy{Landmarks: map[string]Override{text: {Within: new(time.Hour)}}}},
			{Type: TypeAges, Ages: &Ages{From: late, Longest: []Longest{{ID: 1 << 40, Landmark: text, Age: time.Hour}}}},
			{Type: TypeFacts, Facts: &Facts{Instances: []Instance{{ID: 1 << 40, Process: &Process{Name: text, Since: late, Started: true, Reports: age}}}}},
		}
		facts, change := verdict("", text), &Facts{Instances: []Instance{{ID: 1, Process: &Process{Name: text, Reports: age}}}}
		for range 100 {
			change.Instances[0].Process.Landmarks = append(change.Instances[0].Process.Landmarks, Landmark{Declared: declared, Reached: true, Age: age, Reason: text})
		}
		for range 4 {
			facts.Verdict.Landmarks = append(facts.Verdict.Landmarks, LandmarkState{Declared: declared, State: State(judge.Failing), Reached: true, Age: time.Hour, Reason: text})
		}
		facts.Owner = new(uint32(math.MaxUint32))
		lines = append(lines, facts, Line{Type: TypeFacts, Facts: change})
		for _, l := range lines {
			l.Service, l.At, l.Seq = strings.Repeat("s", 90), late, 1<<40
			l.Time = time.Now()
			if size, written := l.Size(), len(encode([]Line{l})); size < written {
				t.Errorf("a line of type %s with %.10q…: the size is %d, and %d bytes were written", l.Type, text, size, written)
			}
		}
	}
}
