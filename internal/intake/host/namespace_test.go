package host

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within is the environment variable that tells a test that it is in a
// namespace of its own.
const within = "LANDMARK_TEST_NAMESPACE"

// inNamespace reports whether the test has a network of its own: if not, it has
// the test run once more, in a process that does. Where the system allows none
// it skips, but fails in CI.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(within) != "" {
		ip(t, "link set lo up")
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), within+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil && bytes.Contains(out, []byte("--- PASS: "+t.Name())):
	case errors.As(err, &exit) || err == nil:
		t.Errorf("%v\n%s", err, out)
	case os.Getenv("CI") != "":
		t.Fatalf("no network namespace to be had: %v", err)
	default:
		t.Skipf("no network namespace to be had: %v", err)
	}
	return false
}

// ip runs the command of that name.
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}

// set sets one of the kernel's settings under net.
func set(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// patience is how long a test waits for what must come, on the slowest machine.
const patience = time.Minute

// eventually asks until it is so: what comes over the loopback comes at once,
// but not always before it is sent.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); {
		if time.Since(begun) > patience {
			t.Fatalf("after %v not yet: %s", patience, what)
		}
	}
}
