package hostclock

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv("HOSTCLOCK_TEST_PRINT") != "" {
		c := Own()
		os.Stdout.WriteString(c.Name() + " " + strconv.FormatUint(c.Now(), 10))
		return
	}
	os.Exit(m.Run())
}

func TestProcessesShareTheClock(t *testing.T) {
	c := Own()
	before := c.Now()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOSTCLOCK_TEST_PRINT=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	name, now, _ := strings.Cut(string(out), " ")
	if !c.Is(name) {
		t.Errorf("clock of the other process %q, want %q as here", name, c.Name())
	}
	if at, err := strconv.ParseUint(now, 10, 64); err != nil || at < before || at > c.Now() {
		t.Errorf("time in the other process %s, want between %d and %d", now, before, c.Now())
	}
}

func TestZeroClockMatchesNoClock(t *testing.T) {
	if (Clock{}).Is("") || Own().Is("") {
		t.Error(`Is("") = true, want false`)
	}
	if now := (Clock{}).Now(); now != 0 {
		t.Errorf("Now() of the zero Clock = %d, want 0", now)
	}
}
