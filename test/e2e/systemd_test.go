//go:build e2e

package e2e_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// WatchdogSec= restarts a program whose main loop hangs, and spares one that is idle.
// No landmarkd runs.
func TestSystemdWatchdogOfAProgram(t *testing.T) {
	parallel(t)
	t.Run("Go", func(t *testing.T) { testSystemdWatchdog(t, "epgd", "main loop last answered ") })
	t.Run("C", func(t *testing.T) {
		needCServer(t)
		// Its only thread hangs, so it gives no reason.
		testSystemdWatchdog(t, "epgd-c", "")
	})
}

// testSystemdWatchdog tests it with a server, and with the reason that it gives systemd.
func testSystemdWatchdog(t *testing.T, server, reason string) {
	parallel(t)
	s := bootSystemd(t, map[string]string{"epgd.service": `
[Service]
Type=notify
WatchdogSec=4s
Restart=always
RestartSec=100ms
ExecStart=/usr/local/bin/` + server + ` -notify -within 1s
`})
	s.must("systemctl", "start", "epgd") // returns at READY=1
	process := s.show("epgd", "MainPID")
	s.must("epgd", "-ask", "127.0.0.1:9000")

	for range 3 { // more than a timeout
		s.await("epgd", "WatchdogTimestampMonotonic", not(s.show("epgd", "WatchdogTimestampMonotonic")))
	}
	if now := s.show("epgd", "MainPID"); now != process {
		t.Errorf("idle: got the process %s, want %s", now, process)
	}

	s.kill("epgd", "SIGUSR1")
	s.await("epgd", "StatusText", func(text string) bool { return strings.HasPrefix(text, reason) })
	if now := s.show("epgd", "MainPID"); now != process {
		t.Errorf("the process %s was replaced by %s before the reason was known", process, now)
	}
	s.await("epgd", "NRestarts", is("1"))
	s.await("epgd", "ActiveState", is("active"))
	if now := s.show("epgd", "MainPID"); now == process {
		t.Errorf("the process %s hangs and was not replaced", process)
	}
	s.must("epgd", "-ask", "127.0.0.1:9000")
	if got := s.show("epgd", "StatusText"); got != "" {
		t.Errorf("after the restart: got the status %q", got)
	}
	s.must("systemctl", "stop", "epgd")
	if got := s.show("epgd", "Result"); got != "success" {
		t.Errorf("after a stop: got the result %s, want success", got)
	}
}

// landmarkd with its own unit: it is active once it answers, and a reload ends when the
// configuration is loaded. If it freezes, systemd restarts it, and its programs come
// back.
func TestSystemdRunsLandmarkd(t *testing.T) {
	parallel(t)
	s := bootSystemd(t, map[string]string{
		"landmarkd.service": shippedUnit(t, "landmarkd.service"),
		"epgd.service":      "[Service]\nExecStart=/usr/local/bin/epgd\n",
	})
	s.must("systemctl", "start", "landmarkd")
	// The answer comes once the start grace is over.
	if got, _ := s.run("landmark-check", "-service", "epg", "-timeout", testTimeout.String()); !strings.HasPrefix(got, "epg: NOT_SERVING unreported") {
		t.Errorf("as soon as it is active: got %q, want the configured service", got)
	}
	s.must("systemctl", "start", "epgd")
	s.awaitCheck("epg", "SERVING")
	process, program := s.show("landmarkd", "MainPID"), s.show("epgd", "MainPID")

	s.write("landmarkd.yaml", "services:\n  epg:\n  vod:\n")
	s.must("systemctl", "reload", "landmarkd")
	s.awaitCheck("vod", "NOT_SERVING unreported")
	s.write("landmarkd.yaml", "nonsense")
	s.must("systemctl", "reload", "landmarkd")
	s.await("landmarkd", "StatusText", func(text string) bool {
		return strings.HasPrefix(text, "the new configuration is wrong, so the old one stays: ")
	})
	s.write("landmarkd.yaml", "services:\n  epg:\n")
	s.must("systemctl", "reload", "landmarkd")
	s.await("landmarkd", "StatusText", is(""))
	if now := s.show("landmarkd", "MainPID"); now != process {
		t.Errorf("a reload replaced the process %s by %s", process, now)
	}

	s.await("landmarkd", "WatchdogTimestampMonotonic", not(s.show("landmarkd", "WatchdogTimestampMonotonic")))
	s.kill("landmarkd", "SIGSTOP")
	s.await("landmarkd", "NRestarts", is("1"))
	s.awaitCheck("epg", "SERVING")
	if !strings.Contains(s.read("landmarkd.log"), "SIGABRT") {
		t.Error("landmarkd was not ended by the watchdog's SIGABRT")
	}
	if now := s.show("epgd", "MainPID"); now != program {
		t.Errorf("the program %s was replaced by %s", program, now)
	}
	s.must("systemctl", "stop", "landmarkd")
	if got := s.show("landmarkd", "Result"); got != "success" {
		t.Errorf("after a stop: got the result %s, want success", got)
	}
}

// landmark-restart restarts a program that hangs. Neither a drain nor the absence of
// landmarkd does.
func TestSystemdRestartsWhatHangs(t *testing.T) {
	parallel(t)
	s := bootSystemd(t, map[string]string{
		"landmarkd.service":         shippedUnit(t, "landmarkd.service"),
		"landmark-restart@.service": shippedUnit(t, "landmark-restart@.service"),
		"epg.service":               "[Service]\nExecStart=/usr/local/bin/epgd\n",
	})
	s.must("systemctl", "start", "landmarkd", "epg", "landmark-restart@epg")
	s.awaitCheck("epg", "SERVING")
	process := s.show("epg", "MainPID")
	same := func(event string) {
		t.Helper()
		if now := s.show("epg", "MainPID"); now != process {
			t.Errorf("%s: got the process %s, want %s", event, now, process)
		}
	}

	const longer = 5 * time.Second // than landmark-restart waits
	s.must("landmark", "drain", "epg")
	s.awaitCheck("epg", "NOT_SERVING draining")
	time.Sleep(longer)
	same("a drain")
	s.must("systemctl", "stop", "landmarkd")
	time.Sleep(longer)
	same("without landmarkd")
	s.must("systemctl", "restart", "landmarkd")
	s.awaitCheck("epg-liveness", "SERVING")
	same("a restart of landmarkd")

	s.kill("epg", "SIGUSR1")
	s.await("epg", "MainPID", not(process))
	s.awaitCheck("epg-liveness", "SERVING")
	s.must("epgd", "-ask", "127.0.0.1:9000")
	if log := s.read("landmark-restart@epg.log"); !strings.Contains(log, "restarting epg.service: epg-liveness: NOT_SERVING stalled: main loop last answered ") {
		t.Errorf("the log does not have the reason:\n%s", log)
	}

	s.must("systemctl", "stop", "epg")
	s.awaitCheck("epg-liveness", "NOT_SERVING stopped")
	time.Sleep(longer)
	if state := s.show("epg", "ActiveState"); state != "inactive" {
		t.Errorf("after a stop: got %s, want inactive", state)
	}
}

// The unit of docs/sdnotify.md runs a program by landmark exec: systemd starts and stops
// it, and landmarkd learns that it serves, hangs as a whole, stops and crashes.
func TestSystemdRunsLandmarkExec(t *testing.T) {
	parallel(t)
	debian(t, "/usr/bin/redis-server", "redis-server")
	page, err := os.ReadFile("../../docs/sdnotify.md")
	if err != nil {
		t.Fatal(err)
	}
	_, unit, _ := strings.Cut(string(page), "```ini\n")
	unit, _, _ = strings.Cut(unit, "```")
	s := bootSystemd(t, map[string]string{
		"landmarkd.service":        shippedUnit(t, "landmarkd.service"),
		"cache.service":            unit,
		"cache.service.d/dir.conf": "[Service]\nWorkingDirectory=/tmp\n", // redis writes its data when it stops
	})
	s.must("systemctl", "start", "landmarkd")
	s.must("systemctl", "start", "cache") // returns at READY=1
	s.awaitCheck("cache", "SERVING")
	if got, want := s.show("cache", "StatusText"), "Ready to accept connections"; got != want {
		t.Errorf("got the status %q, want that of redis, %q", got, want)
	}
	s.must("systemctl", "kill", "--signal=SIGSTOP", "cache")
	s.awaitCheck("cache", "NOT_SERVING stale")
	s.must("systemctl", "kill", "--signal=SIGCONT", "cache")
	s.awaitCheck("cache", "SERVING")
	s.must("systemctl", "stop", "cache")
	s.awaitCheck("cache", "NOT_SERVING stopped")
	if got := s.show("cache", "Result"); got != "success" {
		t.Errorf("after a stop: got the result %s, want success", got)
	}
	s.must("systemctl", "start", "cache")
	s.awaitCheck("cache", "SERVING")
	s.must("systemctl", "kill", "--kill-who=all", "--signal=SIGKILL", "cache")
	s.awaitCheck("cache", "NOT_SERVING lost")
}
