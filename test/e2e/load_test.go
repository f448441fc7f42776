//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// An idle, healthy program is never called unhealthy, however busy the machine
// is. LANDMARK_SOAK says for how long: 5m in make soak.
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
	asking := listen(e)
	time.Sleep(soak)
	asking.end()
	t.Logf("%d answers in %v, all SERVING", asking.good.Load(), soak)
}
