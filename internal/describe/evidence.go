package describe

import (
	"fmt"
	"strings"

	"github.com/landmark-health/landmark/internal/terminal"
)

// EvidenceSource names the process that the evidence is of, and who describes it: its agent,
// or the kernel. A pid of 0 is unknown.
func EvidenceSource(instance string, pid int, byAgent bool) string {
	process := terminal.Printable(instance)
	if pid != 0 {
		process += fmt.Sprintf(" (process %d)", pid)
	}
	if byAgent {
		return process + ", by its agent"
	}
	return process + ", by the kernel"
}

// EvidenceTrigger says why the evidence was captured: landmarks failed, or the process was
// silent. With changed, a verdict changed at that.
func EvidenceTrigger(landmarks []string, changed bool) string {
	trigger := "the process was silent"
	if len(landmarks) > 0 {
		trigger = "failing " + terminal.Printable(strings.Join(landmarks, ", "))
	}
	if changed {
		return trigger
	}
	return "no change of the verdict: " + trigger
}
