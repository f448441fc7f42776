package describe

import "testing"

func TestEvidenceSource(t *testing.T) {
	for _, tt := range []struct {
		pid     int
		byAgent bool
		want    string
	}{
		{0, true, "a\\n, by its agent"}, {7, false, "a\\n (process 7), by the kernel"},
	} {
		if got := EvidenceSource("a\n", tt.pid, tt.byAgent); got != tt.want {
			t.Errorf("%d, %v: got %q, want %q", tt.pid, tt.byAgent, got, tt.want)
		}
	}
}

func TestEvidenceTrigger(t *testing.T) {
	for _, tt := range []struct {
		landmarks []string
		changed   bool
		want      string
	}{
		{nil, true, "the process was silent"},
		{[]string{"main loop", "in\ndex"}, true, "failing main loop, in\\ndex"},
		{[]string{"main loop"}, false, "no change of the verdict: failing main loop"},
		{nil, false, "no change of the verdict: the process was silent"},
	} {
		if got := EvidenceTrigger(tt.landmarks, tt.changed); got != tt.want {
			t.Errorf("%q, %v: got %q, want %q", tt.landmarks, tt.changed, got, tt.want)
		}
	}
}
