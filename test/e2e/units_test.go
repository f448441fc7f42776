//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// systemd restarts the programs without a limit, and keeps their directories over a
// stop.
func TestUnitsRestartForever(t *testing.T) {
	units, err := filepath.Glob("../../deploy/systemd/*.service")
	if err != nil || len(units) != 2 {
		t.Fatalf("units: got %d, %v, want 2", len(units), err)
	}
	for _, path := range units {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head, service, _ := strings.Cut(string(text), "\n[Service]\n")
		service, _, _ = strings.Cut(service, "\n[Install]\n")
		for _, want := range []struct{ section, line string }{
			{head, "StartLimitIntervalSec=0"},
			{service, "Restart=always"},
			{service, "RestartSec=100ms"},
			{service, "RestartMaxDelaySec=2s"},
			{service, "RuntimeDirectoryPreserve=yes"},
		} {
			if !strings.Contains(want.section, "\n"+want.line+"\n") {
				t.Errorf("%s: got no %s in its section, want it", filepath.Base(path), want.line)
			}
		}
	}
}

// systemd accepts the units.
func TestUnitsAreValid(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze")
	}
	installed := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/[a-z-]+`)
	for _, name := range []string{"landmarkd", "landmark-watch"} {
		text, err := os.ReadFile("../../deploy/systemd/" + name + ".service")
		if err != nil {
			t.Fatal(err)
		}
		unit := filepath.Join(t.TempDir(), name+".service")
		if err := os.WriteFile(unit, installed.ReplaceAll(text, []byte("ExecStart="+program(name))), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, name+".service") && !strings.Contains(line, "'RestartSteps'") && !strings.Contains(line, "'RestartMaxDelaySec'") {
				t.Errorf("unexpected line of systemd-analyze: %s", line)
			}
		}
	}
}
