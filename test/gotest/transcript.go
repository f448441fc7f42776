package main

import (
	"fmt"
	"io"
	"strings"
)

// event is one of go test -json's, as `go doc test2json` tells them.
type event struct {
	Action  string
	Package string
	Test    string // empty in an event of the package's own
	Output  string
}

// transcript turns events back into what go test prints without -json. The
// output of a test waits until its end shows whether it is wanted.
type transcript struct {
	out     io.Writer
	leftOut io.Writer
	verbose bool
	pending map[test]*strings.Builder

	failed  int             // tests and packages that failed
	unknown map[string]bool // packages that printed what they could not show
}

// test names one test of one package.
type test struct{ pkg, name string }

func newTranscript(out, leftOut io.Writer, verbose bool) *transcript {
	return &transcript{out: out, leftOut: leftOut, verbose: verbose, pending: map[test]*strings.Builder{}, unknown: map[string]bool{}}
}

func (t *transcript) add(e event) {
	id := test{e.Package, e.Test}
	switch e.Action {
	case "output", "build-output":
		if e.Test == "" && strings.HasPrefix(e.Output, "inconclusive: ") {
			t.unknown[e.Package] = true
		}
		if e.Test == "" || t.verbose {
			t.print(e.Output)
		}
		if e.Test != "" {
			t.keep(id, e.Output)
		}
	case "skip":
		if e.Test != "" {
			fmt.Fprintf(t.leftOut, "%s %s: %s\n", e.Package, e.Test, reason(t.take(id)))
		}
	case "pass":
		t.take(id)
	case "fail":
		t.failed++
		t.fail(id)
	}
}

// inconclusive reports whether nothing failed but packages that came to no
// conclusion.
func (t *transcript) inconclusive() bool { return t.failed > 0 && t.failed == len(t.unknown) }

// keep holds back what a test printed.
func (t *transcript) keep(id test, output string) {
	if t.pending[id] == nil {
		t.pending[id] = new(strings.Builder)
	}
	t.pending[id].WriteString(output)
}

// take returns what a test printed, and forgets it.
func (t *transcript) take(id test) string {
	kept := t.pending[id]
	delete(t.pending, id)
	if kept == nil {
		return ""
	}
	return kept.String()
}

// fail shows what a failed test printed. When its package fails, so does every
// test that had not ended: one of them may have taken the process down.
func (t *transcript) fail(id test) {
	if id.name != "" {
		t.show(id)
		return
	}
	for open := range t.pending {
		if open.pkg == id.pkg {
			t.show(open)
		}
	}
}

func (t *transcript) show(id test) {
	if output := t.take(id); !t.verbose {
		t.print(output)
	}
}

// print drops the lines that go test prints with -v alone, which -json implies.
func (t *transcript) print(output string) {
	for line := range strings.Lines(output) {
		if !t.verbose && (line == "PASS\n" || strings.HasPrefix(line, "=== ")) {
			continue
		}
		io.WriteString(t.out, line)
	}
}

// reason finds in a skipped test's output what it gave t.Skip.
func reason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		// file.go:12: the reason
		if _, text, found := strings.Cut(line, ": "); found {
			line = text
		}
		said = append(said, line)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}
