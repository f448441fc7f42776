// Package tracetest runs the scripts of tests that compare what commands print with
// what is expected.
//
// A script is blocks of commands, one a line. Below the commands of a block come a
// line of ---- and what they are expected to print. An empty line separates blocks,
// and # begins a comment. What one block does stays for the next.
package tracetest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the traces in testdata print into them, as what is expected")

// Run plays each script in testdata in a subtest of its own. play returns the script
// with what its commands print, as Play does. With -rewrite that replaces the script.
func Run(t *testing.T, play func(t *testing.T, script string) string) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no traces in testdata (%v), want some", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(script))
			switch {
			case got == string(script):
			case *rewrite:
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("got:\n%s\nwant %s:\n%s", got, file, script)
			}
		})
	}
}

// Play runs the commands of the script in their order, and returns the script with
// what they print. run gets a command's line without its comment.
func Play(script string, run func(line string) (printed string)) string {
	var played strings.Builder
	for i, block := range strings.Split(strings.TrimRight(script, "\n"), "\n\n") {
		if i > 0 {
			played.WriteString("\n\n")
		}
		commands, _, expects := strings.Cut(block, "\n----")
		played.WriteString(commands)
		var printed strings.Builder
		for line := range strings.SplitSeq(commands, "\n") {
			line, _, _ = strings.Cut(line, "#")
			if strings.TrimSpace(line) != "" {
				printed.WriteString(run(line))
			}
		}
		if expects || printed.Len() > 0 {
			played.WriteString("\n----\n" + strings.TrimSuffix(printed.String(), "\n"))
		}
	}
	return played.String() + "\n"
}
