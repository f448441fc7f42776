package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestSnippetListsPrograms(t *testing.T) {
	for _, args := range []string{"snippet", "snippet -h", "help snippet"} {
		got := runTo(strings.Fields(args)...)
		for _, c := range snippetCommand.of {
			if got.code != 0 || got.err != "" || !strings.Contains(got.out, "\n  "+c.name+" ") {
				t.Errorf("%s: %+v, want %s in it", args, got, c.name)
			}
		}
	}
}

// Command lines in the pages, and what follows in their block: what is printed,
// with parts left out where a line says so.
const (
	printing = "$ landmark snippet "
	leftOut  = "…"
)

var (
	block = regexp.MustCompile("(?ms)^```[a-z-]*\n(.*?)^```$")

	// configures are words of each program's configuration.
	configures = regexp.MustCompile(`UDP_CHECK \{|MISC_CHECK \{|FILE_CHECK \{|checktype=|tcp-check|agent-check|grpc_health_check|tcp_health_check|preStop:|grpc: \{|scrape_configs:|alert:`)
)

// TestPagesShowWhatIsPrinted holds every configuration of another program in the
// pages to be what landmark snippet prints, which the real programs are tested
// with.
func TestPagesShowWhatIsPrinted(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			first, rest, _ := strings.Cut(found[1], "\n")
			line, ok := strings.CutPrefix(first, printing)
			if !ok {
				if word := configures.FindString(found[1]); word != "" {
					t.Errorf("%s: a block with %q does not begin with %q", page, word, printing)
				}
				continue
			}
			words := strings.Fields(line)
			shown[words[0]] = true
			got := runTo(append([]string{"snippet"}, words...)...)
			if got.code != 0 {
				t.Errorf("%s: %s: %s", page, line, got.err)
			}
			if part := missing(got.out, rest); part != "" {
				t.Errorf("%s: %s does not print, or not there:\n%s", page, line, part)
			}
		}
	}
	for _, c := range snippetCommand.of {
		if !shown[c.name] {
			t.Errorf("no page shows a snippet for %s", c.name)
		}
	}
}

// missing returns the first part of what is shown that is not printed, in the
// order shown, "" if there is none. Only where something is left out may it
// begin later or end earlier.
func missing(printed, shown string) string {
	rest := "\n" + printed
	parts := strings.Split("\n"+shown, "\n"+leftOut+"\n")
	for i, part := range parts {
		part = "\n" + strings.Trim(part, "\n") + "\n"
		if part == "\n\n" {
			continue
		}
		before, after, found := strings.Cut(rest, part)
		if !found || i == 0 && before != "" || i == len(parts)-1 && after != "" {
			return part
		}
		rest = "\n" + after
	}
	return ""
}

func TestMissing(t *testing.T) {
	const printed = "a\n  b\n  c\nd\n"
	for _, shown := range []string{"a\n  b\n  c\nd\n", "a\n…\nd\n", "…\n  b\n…\n", "a\n…\n", "…\n  c\nd\n", "…\n  b\n…\nd\n", "…\na\n  b\n  c\nd\n…\n"} {
		if part := missing(printed, shown); part != "" {
			t.Errorf("%q is said to lack %q", shown, part)
		}
	}
	for _, shown := range []string{"a\nb\n  c\nd\n", "a\n", "…\n b\n…\n", "  b\n…\n", "…\n  b\n", "…\nd\n…\na\n", "a\n  c\nd\n"} {
		if missing(printed, shown) == "" {
			t.Errorf("%q is taken for a part", shown)
		}
	}
}
