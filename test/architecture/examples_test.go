package architecture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// surroundings declares what the Go examples of the pages use and do not declare.
const surroundings = `package main

import (
	"context"
	"log"
	"log/slog"
	"os/signal"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

type request struct{}

func (request) answer(guide string) {}

type job struct{ work landmark.Work }

var (
	a        *agent.Agent
	ctx      context.Context
	guide    string
	jobs     chan job
	loop     *landmark.Loop
	marks    *landmark.Set
	process  func(job)
	requests chan request
	server   interface{ Finish() }
	wakeUp   func()

	_ = log.Fatal
	_ = slog.Default
	_ = signal.NotifyContext
	_ = syscall.SIGTERM
	_ = time.Second
)

func main() {}

`

// TestGoOfDocsBuilds builds the Go examples of the pages, and examples/epgd, in a module of
// its own that finds this one by a replace line, as README.md says.
func TestGoOfDocsBuilds(t *testing.T) {
	goMod := readFile(t, "go.mod")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(goMod)[1]
	if want := "Go " + version + " or later"; !strings.Contains(readFile(t, "README.md"), want) {
		t.Errorf("README.md does not say %q", want)
	}

	dir := t.TempDir()
	// The requirements are copied, so that nothing needs to be downloaded.
	writeFile(t, dir, "go.mod", strings.Replace(goMod, "module "+module, "module example.com/program", 1)+
		"\nrequire "+module+" v0.0.0\nreplace "+module+" => "+root(t)+"\n")
	writeFile(t, dir, "go.sum", readFile(t, "go.sum"))
	var pages int
	for _, page := range append([]string{"README.md"}, glob(t, "docs/*.md")...) {
		if program := goOfPage(page, readFile(t, page)); program != "" {
			writeFile(t, dir, page+".d/main.go", program)
			pages++
		}
	}
	if pages < 2 {
		t.Errorf("pages with Go examples: got %d, want at least README.md and docs/embedding.md", pages)
	}
	for _, file := range glob(t, "examples/epgd/*.go") {
		if !strings.HasSuffix(file, "_test.go") {
			writeFile(t, dir, file, readFile(t, file))
		}
	}
	cmd := exec.Command("go", "build", "./...")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, out)
	}
}

// goOfPage completes the Go examples of a page into a program, or returns "" if it has none.
// An example is declarations if it declares a function, else the body of one.
func goOfPage(page, text string) string {
	var program strings.Builder
	for _, at := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatchIndex(text, -1) {
		example := text[at[2]:at[3]]
		line := fmt.Sprintf("//line %s:%d\n", page, 1+strings.Count(text[:at[2]], "\n"))
		if regexp.MustCompile("(?m)^func ").MatchString(example) {
			program.WriteString(line + example)
		} else {
			program.WriteString("func _() {\n" + line + example + "}\n")
		}
	}
	if program.Len() == 0 {
		return ""
	}
	return surroundings + program.String()
}

// glob returns the files of the module that match the pattern.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("files that match %s: got %q, %v, want some", pattern, files, err)
	}
	for i, file := range files {
		if files[i], err = filepath.Rel(root(t), file); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
