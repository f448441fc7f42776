package main

import (
	"fmt"
	"io"
	"strings"
)

// An event is one event of go test -json (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string // empty in an event of the package itself
	Output  string
}

// A transcript prints events as go test prints them without -json. It holds the
// output of a test back until the test ends, because only failed tests are shown.
type transcript struct {
	out     io.Writer
	leftOut io.Writer
	verbose bool
	pending map[test]*strings.Builder

	failed  int             // tests and packages
	unknown map[string]bool // packages that printed "inconclusive: "
}

// A test is the name of one test of one package.
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

// inconclusive reports whether something failed, and only inconclusive packages.
func (t *transcript) inconclusive() bool { return t.failed > 0 && t.failed == len(t.unknown) }

// keep holds back output of a test.
func (t *transcript) keep(id test, output string) {
	if t.pending[id] == nil {
		t.pending[id] = new(strings.Builder)
	}
	t.pending[id].WriteString(output)
}

// take removes and returns the output of a test.
func (t *transcript) take(id test) string {
	kept := t.pending[id]
	delete(t.pending, id)
	if kept == nil {
		return ""
	}
	return kept.String()
}

// fail shows the output of a failed test. For a failed package it shows the output
// of every test that had not ended, because one of them may have ended the process.
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

// print prints output, except lines that go test prints only with -v. -json implies
// -v.
func (t *transcript) print(output string) {
	for line := range strings.Lines(output) {
		if !t.verbose && (line == "PASS\n" || strings.HasPrefix(line, "=== ")) {
			continue
		}
		io.WriteString(t.out, line)
	}
}

// reason returns the reason that a skipped test gave, from its output.
func reason(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		// file.go:12: the reason
		if _, text, found := strings.Cut(line, ": "); found {
			line = text
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return "no reason given"
	}
	return strings.Join(lines, " ")
}
