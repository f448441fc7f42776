//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
)

// The supervision of systemd goes on for a program under landmark exec: it is active at
// READY=1, restarted when it does not feed its watchdog or crashes, and stopped cleanly.
func TestSystemdRunsExec(t *testing.T) {
	parallel(t)
	s := bootSystemd(t, map[string]string{
		"landmarkd.service": shippedUnit(t, "landmarkd.service"),
		"app.service": `
[Service]
Type=notify
WatchdogSec=3s
Restart=always
RestartSec=100ms
KillMode=mixed
ExecStart=/usr/local/bin/landmark exec -service epg -- /bin/sh /run/test/app.sh
`})
	s.write("app.sh", `
rm -f /run/test/hang
sleep 1
systemd-notify --ready --status="loop in shell"
while :; do
	while [ -e /run/test/hang ]; do sleep 0.05; done
	systemd-notify --pid=$$ WATCHDOG=1
	sleep 0.2
done`)
	s.must("systemctl", "start", "landmarkd")
	s.must("systemctl", "start", "app") // returns at READY=1
	if got := s.show("app", "StatusText"); got != "loop in shell" {
		t.Errorf("as soon as it is active: got the status %q", got)
	}
	s.awaitCheck("epg", "SERVING")
	process := s.show("app", "MainPID")
	for range 3 {
		s.await("app", "WatchdogTimestampMonotonic", not(s.show("app", "WatchdogTimestampMonotonic")))
	}

	s.write("hang", "")
	s.await("app", "NRestarts", is("1"))
	s.await("app", "ActiveState", is("active"))
	s.awaitCheck("epg", "SERVING")
	if now := s.show("app", "MainPID"); now == process {
		t.Errorf("the process %s hangs and was not replaced", process)
	}
	if history := s.must("landmark", "history", "epg"); !strings.Contains(history, " lost ") {
		t.Errorf("the end of the program by systemd's SIGABRT is not a crash:\n%s", history)
	}

	s.must("pkill", "-SEGV", "-f", "^/bin/sh /run/test/app.sh")
	s.await("app", "NRestarts", is("2"))
	s.await("app", "ActiveState", is("active"))
	s.awaitCheck("epg", "SERVING")

	s.must("systemctl", "stop", "app")
	s.awaitCheck("epg", "NOT_SERVING stopped")
	if got := s.show("app", "Result"); got != "success" {
		t.Errorf("after a stop: got the result %s, want success", got)
	}
}
