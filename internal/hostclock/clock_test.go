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

// Another process has the same clock, and its time is between two of ours.
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
		t.Errorf("the other process has the clock %q, this one %q", name, c.Name())
	}
	if at, err := strconv.ParseUint(now, 10, 64); err != nil || at < before || at > c.Now() {
		t.Errorf("the other process read %s, between %d and %d here", now, before, c.Now())
	}
}

func TestNoNameIsNoClock(t *testing.T) {
	if (Clock{}).Is("") || Own().Is("") {
		t.Error("a process without a clock is said to have the same")
	}
	if now := (Clock{}).Now(); now != 0 {
		t.Errorf("the zero clock shows %d", now)
	}
}
