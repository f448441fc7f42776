//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// programs is where TestMain puts what it builds.
var programs string

func TestMain(m *testing.M) {
	if listener := os.Getenv(crowdAt); listener != "" {
		crowd(listener)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "landmark-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Another user must be able to run them.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	programs = dir
	build := exec.Command("go", "build", "-ldflags", "-X main.version=e2e", "-o", dir+"/", "../../cmd/...", "../../examples/...", "./prefork", "./plain", "./signals")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		return 1
	}
	if out, err := exec.Command("cp", "../../deploy/systemd/landmark-restart", dir).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "copying landmark-restart: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// program returns the path of one of Landmark's programs.
func program(name string) string { return filepath.Join(programs, name) }

// healthProbe returns the path of grpc-health-probe, built from the module
// that pins it.
func healthProbe(t *testing.T) string {
	t.Helper()
	path, err := buildHealthProbe()
	if err != nil {
		t.Fatalf("building grpc-health-probe: %v", err)
	}
	return path
}

var buildHealthProbe = sync.OnceValues(func() (path string, err error) {
	build := exec.Command("go", "tool", "-modfile=tools/probe/go.mod", "-n", "grpc-health-probe")
	build.Dir = "../.."
	out, err := build.Output()
	return strings.TrimSpace(string(out)), err
})
