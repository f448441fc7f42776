package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/registry"
)

var update = flag.Bool("update", false, "write the present errors to testdata/problems.txt")

// problemCase is a file with problems, and the expected error.
type problemCase struct {
	name, src, want string
}

// goldenProblems has the cases: "=== NAME", the file, "=>", and the error.
const goldenProblems = "testdata/problems.txt"

func readCases(t testing.TB) []problemCase {
	t.Helper()
	text, err := os.ReadFile(goldenProblems)
	if err != nil {
		t.Fatal(err)
	}
	var cases []problemCase
	for _, section := range strings.Split("\n"+string(text), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		src, want, found := strings.Cut(rest, "\n=>\n")
		if !found {
			t.Fatalf("%s: there is no line with => after the file", name)
		}
		cases = append(cases, problemCase{name, src + "\n", strings.TrimRight(want, "\n")})
	}
	return cases
}

// TestProblemsAreReported checks the error for each problem that a file can have.
func TestProblemsAreReported(t *testing.T) {
	var now []string
	for _, c := range readCases(t) {
		t.Run(c.name, func(t *testing.T) {
			file, err := parse("landmarkd.yaml", []byte(c.src))
			if err == nil {
				t.Fatalf("there is no error, but %v", file)
			}
			if file.Services != nil || file.Gates != nil || file.Peerings != nil {
				t.Errorf("there are both an error and a configuration: %v", file)
			}
			now = append(now, fmt.Sprintf("=== %s\n%s=>\n%s\n", c.name, c.src, err))
			if diff := cmp.Diff(c.want, err.Error()); diff != "" && !*update {
				t.Errorf("the error differs (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(goldenProblems, []byte(strings.Join(now, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnprintableProblemsAreReported checks the errors for files that
// testdata/problems.txt cannot contain.
func TestUnprintableProblemsAreReported(t *testing.T) {
	for _, test := range []struct {
		name string
		yaml string
		want string // a line of the error
	}{
		{"not UTF-8", "services:\n  épg\xff:\n", "f:2:6: this is not UTF-8: save the file as UTF-8"},
		{"UTF-16", "\xff\xfes\x00", "f:1:1: this is not UTF-8: save the file as UTF-8"},
		{"NUL", "services:\r\n  a: \x00\n", "f:2:6: this is the control character U+0000: remove it"},
		{"escape", "# \x1b[2J", "f:1:3: this is the control character U+001B: remove it"},
		{"escape is not shown", "# \x1b[2J", "       1 | # \ufffd[2J"},
		{"tab", "services:\n\tepg:\n", "f:2:1: a tab indents this line: use spaces"},
		{"tab in an empty line", "services:\n\t\n", "f:2:1: a tab indents this line: use spaces"},
		{"tab after spaces", "services:\n  \tepg:\n", "f:2:3: a tab indents this line: use spaces"},
		{"line ends of CR", "services:\r  epg:\r    x: 1\r", "f:3:5: services.epg.x: is not a key here: use one of " + list(serviceKeys)},
		{
			"long name", "services:\n  " + strings.Repeat("e", 91) + ":\n",
			`f:2:3: services.` + strings.Repeat("e", 91) + `: "eeeeeeeeeeeeeeeeeeee"… is 91 bytes long: use 90 at most`,
		},
		{
			"long name of a landmark", "services: {epg: {landmarks: {" + strings.Repeat("e", 129) + ": }}}",
			`f:1:30: services.epg.landmarks."` + strings.Repeat("e", 128) + `"…: "eeeeeeeeeeeeeeeeeeee"… is 129 bytes long: use 128 at most`,
		},
		{
			"end of a long line", "services: {a: " + strings.Repeat(" ", 300) + "x" + strings.Repeat(" ", 90) + "}",
			"       1 | …" + strings.Repeat(" ", 50) + "x" + strings.Repeat(" ", 48) + "…",
		},
		{
			"pointer at the end of a long line", "services: {a: " + strings.Repeat(" ", 300) + "x" + strings.Repeat(" ", 90) + "}",
			"         | " + strings.Repeat(" ", 51) + "^",
		},
		{
			"nested in brackets", "services: " + strings.Repeat("[", maxNesting),
			"f:1:26: this is nested more than 16 deep: no key needs more than 5",
		},
		{
			"nested in a line", strings.Repeat("- ", maxNesting+1),
			"f:1:33: this is nested more than 16 deep: no key needs more than 5",
		},
		{
			"nested by indentation", staircase(maxNesting + 1),
			"f:17:17: this is nested more than 16 deep: no key needs more than 5",
		},
		{
			"many lines", "services:\n" + strings.Repeat("#\n", maxLines),
			"f:20001:1: the file has too many lines: use 20000 at most",
		},
		{
			"many keys", "services: {\n" + strings.Repeat("a: ,\n", maxEntries/2) + "}",
			"f:10001:4: the file has too many keys: use 20000 at most",
		},
		{
			"many words", strings.Repeat("'x' ", maxTokens+1),
			"f:1:400001: the file has too many keys: use 20000 at most",
		},
		{
			"many keys from anchors", "services:\n  a: &a\n    landmarks: &l\n" + numbered("      ", 1000) + uses(30),
			"f:4:7: services.s18.landmarks: there are more than 20000 keys here, with those of anchors counted at each use: use fewer",
		},
		{
			"many services", "services:\n" + numbered("  ", registry.MaxServices+1),
			"f:2:3: services: has 10001 services: use 10000 at most",
		},
		{"many problems", "services: {}\n" + numbered("", 15), "f: and 5 more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse("f", []byte(test.yaml))
			if err == nil {
				t.Fatal("there is no error")
			}
			if !strings.Contains("\n"+err.Error()+"\n", "\n"+test.want+"\n") {
				t.Errorf("the error does not have %q:\n%.2000s", test.want, err)
			}
		})
	}
}

// staircase returns nested mappings, depth deep.
func staircase(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%*sa:\n", i, "")
	}
	return b.String()
}

// numbered returns n keys of a mapping.
func numbered(indent string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sn%d:\n", indent, i)
	}
	return b.String()
}

// uses returns n services with the landmarks of the anchor l.
func uses(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  s%d: {landmarks: *l}\n", i)
	}
	return b.String()
}
