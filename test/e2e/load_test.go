//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// An idle, healthy program is never reported as unhealthy, however busy the
// machine is. LANDMARK_SOAK sets how long the test runs: 5m in make soak.
func TestIdleUnderLoad(t *testing.T) {
	soak := 10 * time.Second
	if s := os.Getenv("LANDMARK_SOAK"); s != "" {
		var err error
		if soak, err = time.ParseDuration(s); err != nil {
			t.Fatalf("LANDMARK_SOAK: %v", err)
		}
	}
	e := newEnv(t)
	within := "5s"
	if strictTimes {
		within = "1s"
	}
	e.epg(within)
	for range 16 {
		busy := exec.Command("sh", "-c", "while :; do :; done")
		if err := busy.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { busy.Process.Kill(); busy.Wait() }()
	}
	checks := startPoller(e)
	time.Sleep(soak)
	checks.end()
	t.Logf("%d answers in %v, all SERVING", checks.serving.Load(), soak)
}
