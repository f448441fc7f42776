package agent

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/landmark-health/landmark/agent/landmark"
)

// printInstance is the environment variable that makes the test binary print its
// default instance name and its process number, and exit.
const printInstance = "LANDMARK_TEST_NAMES_INSTANCE"

// Containers that share a sidecar's socket may each have a process with number 1.
func TestDefaultInstanceDiffersBetweenPIDNamespaces(t *testing.T) {
	if os.Getenv(printInstance) != "" {
		cfg, err := Config{Service: "epg", Landmarks: new(landmark.Set)}.complete()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("pid %d is %s.", os.Getpid(), cfg.Instance)
		return
	}
	name := func() string {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), printInstance+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		if os.Geteuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		}
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 && os.Getenv("CI") == "" {
			t.Skipf("cannot create a PID namespace: %v", err)
		}
		_, line, found := strings.Cut(string(out), "pid 1 is ")
		name, _, ended := strings.Cut(line, ".\n")
		if err != nil || !found || !ended {
			t.Fatalf("%v\n%s", err, out)
		}
		return name
	}
	if a, b := name(), name(); a == b || !strings.HasPrefix(a, "1") {
		t.Errorf("instance names %q and %q, want different ones that begin with 1", a, b)
	}
}
