package lmp

import (
	"fmt"
	"math"
	"testing"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/lmp"
)

// The package lmp has names of its own. They are those of the judge.
func TestProtocolAndJudgeShareNames(t *testing.T) {
	names := map[string]func(n uint8) (protocol, judged fmt.Stringer){
		"kind":   func(n uint8) (p, j fmt.Stringer) { return lmp.LandmarkKind(n), judge.Kind(n) },
		"impact": func(n uint8) (p, j fmt.Stringer) { return lmp.Impact(n), judge.Impact(n) },
		"state":  func(n uint8) (p, j fmt.Stringer) { return lmp.State(n), judge.State(n) },
		"cause":  func(n uint8) (p, j fmt.Stringer) { return lmp.Cause(n), judge.Cause(n) },
	}
	for noun, of := range names {
		for n := range math.MaxUint8 + 1 {
			protocol, judged := of(uint8(n))
			want := judged.String()
			if want == "invalid" {
				want = fmt.Sprintf("%s %d", noun, n)
			}
			if got := protocol.String(); got != want {
				t.Errorf("%s %d has the name %q in the protocol, want %q", noun, n, got, want)
			}
		}
	}
}
