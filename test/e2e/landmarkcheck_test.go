//go:build e2e

package e2e_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// landmark-check retries until its timeout, by UDP and by TCP. So a restart of
// landmarkd does not fail a check that has enough time.
func TestLandmarkCheckWaitsForRestart(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	for _, network := range []string{"-udp", "-tcp"} {
		for _, down := range []time.Duration{0, 300 * time.Millisecond, time.Second} {
			e.sidecar.kill()
			type result struct {
				code           int
				stdout, stderr string
				took           time.Duration
			}
			done := make(chan result)
			go func() {
				begun := time.Now()
				code, stdout, stderr := runProgram(t, program("landmark-check"), network, "-addr", e.monitor, "-service", "epg", "-timeout", testTimeout.String())
				done <- result{code, stdout, stderr, time.Since(begun)}
			}()
			time.Sleep(down)
			e.start()
			r := <-done
			if r.code != 0 {
				t.Errorf("%s, %v without landmarkd: got exit code %d after %v, want 0; %q %q", network, down, r.code, r.took, r.stdout, r.stderr)
			}
			t.Logf("%s, %v without landmarkd: answered after %v", network, down, r.took.Round(time.Millisecond))
		}
	}
}

// A check of a stopped landmarkd fails, and takes no longer than its timeout.
func TestLandmarkCheckTimesOutOnStoppedSidecar(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	e.sidecar.signal(syscall.SIGSTOP)
	for _, network := range []string{"-udp", "-tcp"} {
		for mode, want := range map[string]int{"exec": 2, "keepalived": 1, "nagios": 2} {
			begun := time.Now()
			code, stdout, stderr := runProgram(t, program("landmark-check"), network, "-as", mode,
				"-addr", e.monitor, "-service", "epg", "-timeout", "300ms")
			took := time.Since(begun)
			assertWithin(t, took, 1300*time.Millisecond, "a check of 300 ms")
			if code != want || stderr != "" {
				t.Errorf("%s as %s: got exit code %d after %v, want %d after 300 ms; %q %q", network, mode, code, took, want, stdout, stderr)
			}
		}
	}
}

// landmark-check gives keepalived and Nagios the weight of a program whose queue
// fills, and reports a drain.
func TestLandmarkCheckReportsWeightAndDrain(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	a, queue, _ := e.queueProgram()
	e.await(checkUDP, "epg", "SERVING none")

	check := func(keepalived, nagios int, line string) {
		t.Helper()
		var got string
		for deadline := time.Now().Add(testTimeout); time.Now().Before(deadline); {
			k, _, _ := runProgram(t, program("landmark-check"), "-addr", e.monitor, "-service", "epg", "-as", "keepalived", "-weight", "40")
			n, stdout, _ := runProgram(t, program("landmark-check"), "-addr", e.monitor, "-service", "epg", "-as", "nagios")
			if k == keepalived && n == nagios && strings.HasPrefix(stdout, line) {
				return
			}
			got = fmt.Sprintf("%d, %d and %q", k, n, stdout)
		}
		t.Errorf("exit codes and output: got %s, want %d, %d and %q", got, keepalived, nagios, line)
	}
	check(0, 0, "LANDMARK OK - epg: SERVING|weight=100%;;;0;100 age=0.")
	queue.Set(150)
	check(2+20, 1, "LANDMARK WARNING - epg: SERVING degraded to 50% by queue|weight=50%;;;0;100 ")
	a.Drain()
	check(2, 1, "LANDMARK WARNING - epg: NOT_SERVING draining: drained by the program itself|weight=0%;;;0;100 ")
	a.Resume()
	queue.Set(0)
	check(0, 0, "LANDMARK OK - epg: SERVING|")
}
