package architecture

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// embedding completes the README's example into a program.
const embedding = `package main

import (
	"context"
	"log"
	"log/slog"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

type request struct{}

func (request) answer(guide string) {}

func main() {
	ctx, guide, requests := context.Background(), "", make(chan request)
EXAMPLE
}
`

// TestReadmeExampleBuilds builds the README's example in a module of its own that finds this
// one by a replace line, as the README says.
func TestReadmeExampleBuilds(t *testing.T) {
	readme := readFile(t, "README.md")
	example := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindStringSubmatch(readme)
	if example == nil {
		t.Fatal("README.md has no Go example")
	}
	goMod := readFile(t, "go.mod")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(goMod)[1]
	if want := "Go " + version + " or later"; !strings.Contains(readme, want) {
		t.Errorf("README.md does not say %q", want)
	}

	dir := t.TempDir()
	// The requirements are copied, so that nothing needs to be downloaded.
	goMod = strings.Replace(goMod, "module "+module, "module example.com/program", 1) +
		"\nrequire " + module + " v0.0.0\nreplace " + module + " => " + root(t) + "\n"
	for name, text := range map[string]string{
		"go.mod":  goMod,
		"go.sum":  readFile(t, "go.sum"),
		"main.go": strings.Replace(embedding, "EXAMPLE", example[1], 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-o", os.DevNull, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, out)
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
