package architecture

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestImageHasPrograms asserts that deploy/Dockerfile copies programs of cmd, and those that
// landmark snippet kubernetes runs, to where it searches for them.
func TestImageHasPrograms(t *testing.T) {
	file := readFile(t, "deploy/Dockerfile")
	copied := regexp.MustCompile(`(?m)^COPY (.*) (/\S+)/$`).FindStringSubmatch(file)
	if copied == nil || !strings.Contains(file, "\nENV PATH="+copied[2]+"\n") {
		t.Fatalf("got COPY %q, want one into the directory of ENV PATH", copied)
	}
	programs := strings.Fields(copied[1])
	for _, name := range programs {
		glob(t, "cmd/"+name)
	}
	snippet := readFile(t, "internal/snippet/kubernetes.yaml.tmpl")
	for _, command := range regexp.MustCompile(`(?m)^ *command: \[([^,]+),`).FindAllStringSubmatch(snippet, -1) {
		if !slices.Contains(programs, command[1]) {
			t.Errorf("the image has %q, but not %s, which the snippet runs", programs, command[1])
		}
	}
}
