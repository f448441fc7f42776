package rate

import (
	"testing"
	"time"
)

func TestWorkAndRestUseATenthOfAProcessor(t *testing.T) {
	for _, work := range []time.Duration{0, time.Microsecond, time.Second} {
		if rest := RestAfter(work); work+rest != 10*work {
			t.Errorf("after %v: a rest of %v, want nine times as long", work, rest)
		}
	}
}
