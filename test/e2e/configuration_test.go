//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// write writes a file.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// landmarkd reads its configuration at the start, and again on SIGHUP. An invalid
// file leaves the old configuration and all state in place.
func TestReloadAppliesOnlyValidConfiguration(t *testing.T) {
	parallel(t)
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, file, "services:\n  epg:\n    recover_after: 1h\n  vod:\n")
	e := newEnv(t)
	e.sidecar.terminate()
	e.start("-config", file)
	e.await(checkUDP, "vod", "NOT_SERVING unreported")
	server, _ := e.epg("500ms") // recover_after does not delay the first serving verdict

	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "NOT_SERVING recovering")

	write(t, file, "services:\n  epg:\n    recover_afer: 1s\n")
	e.sidecar.signal(syscall.SIGHUP)
	e.sidecar.awaitLine("the old one stays")
	if got, want := checkUDP(e, "epg"), "NOT_SERVING recovering"; got != want {
		t.Errorf("after an invalid configuration: got %q, want %q", got, want)
	}
	code, _, stderr := runProgram(t, program("landmarkd"), "-check-config", "-config", file)
	if code != 2 || !strings.Contains(stderr, file+":3:") || !strings.Contains(stderr, "recover_afer") {
		t.Errorf("-check-config of an invalid file: got exit code %d, %q, want 2 and the line", code, stderr)
	}

	write(t, file, "services:\n  epg:\n    recover_after: 1ms\n")
	if code, stdout, stderr := runProgram(t, program("landmarkd"), "-check-config", "-config", file); code != 0 || stdout != file+" is valid\n" {
		t.Errorf("-check-config of a valid file: got exit code %d, %q, %q, want 0 and a line that it is valid", code, stdout, stderr)
	}
	e.sidecar.signal(syscall.SIGHUP)
	e.await(checkUDP, "epg", "SERVING none")
	e.await(checkUDP, "vod", "UNKNOWN_SERVICE unknown service")
}
