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
		for _, c := range snippetCommand.commands {
			if got.code != 0 || got.err != "" || !strings.Contains(got.out, "\n  "+c.name+" ") {
				t.Errorf("%s: %+v, want a line of %s", args, got, c.name)
			}
		}
	}
}

// A block in the docs that begins with a command line shows its output. A line with the
// ellipsis stands for lines left out.
const (
	prompt   = "$ landmark snippet "
	ellipsis = "…"
)

var (
	block = regexp.MustCompile("(?ms)^```[a-z-]*\n(.*?)^```$")

	// configuration matches the configuration of any program.
	configuration = regexp.MustCompile(`UDP_CHECK \{|MISC_CHECK \{|FILE_CHECK \{|checktype=|tcp-check|agent-check|grpc_health_check|tcp_health_check|preStop:|grpc: \{|protocol (bfd|static) \{|profile landmark|scrape_configs:|alert:`)
)

// Every configuration of another program in the docs must be the output of landmark
// snippet, which is tested with the real programs.
func TestDocsShowSnippetOutput(t *testing.T) {
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
			line, ok := strings.CutPrefix(first, prompt)
			if !ok {
				if word := configuration.FindString(found[1]); word != "" {
					t.Errorf("%s: a block with %q does not begin with %q", page, word, prompt)
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
				t.Errorf("%s: %s does not print this, or not here:\n%s", page, line, part)
			}
		}
	}
	for _, c := range snippetCommand.commands {
		if !shown[c.name] {
			t.Errorf("docs show no snippet for %s", c.name)
		}
	}
}

// missing returns the first part of shown that is not in printed, in order, or "" if there
// is none. Parts are separated by ellipses. Only an ellipsis may stand for lines left out.
func missing(printed, shown string) string {
	rest := "\n" + printed
	parts := strings.Split("\n"+shown, "\n"+ellipsis+"\n")
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
			t.Errorf("missing(%q) = %q, want none", shown, part)
		}
	}
	for _, shown := range []string{"a\nb\n  c\nd\n", "a\n", "…\n b\n…\n", "  b\n…\n", "…\n  b\n", "…\nd\n…\na\n", "a\n  c\nd\n"} {
		if missing(printed, shown) == "" {
			t.Errorf("missing(%q) found nothing", shown)
		}
	}
}

func TestSnippetWarns(t *testing.T) {
	got := runTo(strings.Fields("snippet envoy -service epg -virtual 192.0.2.80:5400 -real 198.51.100.11:5400 -real 198.51.100.11:5401")...)
	const warning = "-real 198.51.100.11:5400 and -real 198.51.100.11:5401 get the same check"
	if got.code != 0 || !strings.HasPrefix(got.err, "landmark: warning: "+warning) || strings.Count(got.err, "\n") != 1 || !strings.Contains(got.out, "\n# WARNING: "+warning) {
		t.Errorf("%+v, want exit code 0, and a warning in both outputs", got)
	}
}
