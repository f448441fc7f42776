//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// write writes a configuration.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A configuration counts from the start, and a new one from SIGHUP on; a bad
// one keeps the old one, and loses nothing.
func TestReloadAppliesOnlyValidConfiguration(t *testing.T) {
	parallel(t)
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, file, "services:\n  epg:\n    recover_after: 1h\n  vod:\n")
	e := newEnv(t)
	e.sidecar.terminate()
	e.start("-config", file)
	e.await(checkUDP, "vod", "NOT_SERVING unreported")
	server, _ := e.epg("500ms") // the first serving verdict is not put off

	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "NOT_SERVING recovering")

	write(t, file, "services:\n  epg:\n    recover_afer: 1s\n")
	e.sidecar.signal(syscall.SIGHUP)
	e.sidecar.awaitLine("the old one stays")
	if told := checkUDP(e, "epg"); told != "NOT_SERVING recovering" {
		t.Errorf("after a bad configuration epg is %q", told)
	}
	code, _, stderr := runProgram(t, program("landmarkd"), "-check-config", "-config", file)
	if code != 2 || !strings.Contains(stderr, file+":3:") || !strings.Contains(stderr, "recover_afer") {
		t.Errorf("-check-config ended with exit code %d and said %q", code, stderr)
	}

	write(t, file, "services:\n  epg:\n    recover_after: 1ms\n")
	if code, stdout, stderr := runProgram(t, program("landmarkd"), "-check-config", "-config", file); code != 0 || stdout != file+" is valid\n" {
		t.Errorf("-check-config ended with exit code %d for a good file and said %q, %q", code, stdout, stderr)
	}
	e.sidecar.signal(syscall.SIGHUP)
	e.await(checkUDP, "epg", "SERVING none")
	e.await(checkUDP, "vod", "UNKNOWN_SERVICE unknown service")
}
