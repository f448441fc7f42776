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

// namespaced is the environment variable that is set for a test in a network namespace
// of its own.
const namespaced = "LANDMARK_TEST_NAMESPACE"

// inNamespace reports whether the test runs in a network namespace of its own. If not,
// it runs the test in another process that does. If the system allows none, it skips
// the test, or fails it in CI.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaced) != "" {
		ip(t, "link set lo up")
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), namespaced+"=1")
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
		t.Fatalf("cannot create a network namespace: %v", err)
	default:
		t.Skipf("cannot create a network namespace: %v", err)
	}
	return false
}

// ip runs the command ip.
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}

// set sets a sysctl setting under net.
func set(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// testTimeout is how long a test waits for an event, on the slowest machine.
const testTimeout = time.Minute

// eventually waits until the condition holds. A connection over the loopback may take
// a moment to arrive.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); !holds(); {
		if time.Since(start) > testTimeout {
			t.Fatalf("not within %v: %s", testTimeout, what)
		}
	}
}
