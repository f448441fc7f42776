//go:build e2e

package e2e_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// systemd restarts the programs without a limit, and keeps their directories over a
// stop.
func TestUnitsRestartForever(t *testing.T) {
	for _, name := range []string{"landmarkd.service", "landmark-watch.service"} {
		head, service, _ := strings.Cut(shippedUnit(t, name), "\n[Service]\n")
		service, _, _ = strings.Cut(service, "\n[Install]\n")
		for _, want := range []struct{ section, line string }{
			{head, "StartLimitIntervalSec=0"},
			{service, "Restart=always"},
			{service, "RestartSec=100ms"},
			{service, "RestartMaxDelaySec=2s"},
			{service, "RuntimeDirectoryPreserve=yes"},
		} {
			if !strings.Contains(want.section, "\n"+want.line+"\n") {
				t.Errorf("%s: got no %s in its section, want it", name, want.line)
			}
		}
	}
}

// systemd accepts the units.
func TestUnitsAreValid(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze")
	}
	installed := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin`)
	units, err := filepath.Glob("../../deploy/systemd/*.service")
	if err != nil || len(units) != 3 {
		t.Fatalf("units: got %d, %v, want 3", len(units), err)
	}
	for _, path := range units {
		name := strings.TrimSuffix(filepath.Base(path), ".service")
		text := shippedUnit(t, name+".service")
		name = strings.Replace(name, "@", "@epg", 1) // an instance of a template
		unit := filepath.Join(t.TempDir(), name+".service")
		write(t, unit, installed.ReplaceAllString(text, "ExecStart="+programs))
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
