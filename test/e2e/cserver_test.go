//go:build e2e

package e2e_test

import (
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// buildCServer builds examples/epgd-c.
var buildCServer = sync.OnceValue(func() error {
	sources, err := filepath.Glob("../../examples/epgd-c/*.c")
	if err != nil {
		return err
	}
	return exec.Command("cc", append(sources, "-std=c99", "-O2", "-o", program("epgd-c"))...).Run()
})

// needCServer builds the EPG server in C.
func needCServer(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("there is no C compiler")
	}
	if err := buildCServer(); err != nil {
		t.Fatalf("building epgd-c: %v", err)
	}
}

// cServer starts the EPG server in C, which reports to the sidecar through landmark.h,
// and waits until it serves.
func (e *env) cServer(within string) (server *process, address string) {
	e.t.Helper()
	needCServer(e.t)
	address = freeAddress(e.t)
	notify := filepath.Join(filepath.Dir(e.socket), "notify.sock")
	server = start(e.t, program("epgd-c"), "-listen", address, "-notify-socket", notify, "-within", within)
	e.await(checkUDP, "epg", "SERVING none")
	return server, address
}

// A program in C has its own cause when it hangs, is frozen, stops and is killed, and epgd
// gets programmes from it while it serves.
func TestCServer(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, address := e.cServer("500ms")
	seen := observe(e, "epg")
	wantProgramme(t, address, true)
	server.signal(syscall.SIGUSR1)
	seen.await("NOT_SERVING stalled")
	wantProgramme(t, address, false)
	server.signal(syscall.SIGUSR2)
	seen.await("SERVING 100")
	wantProgramme(t, address, true)
	server.signal(syscall.SIGSTOP)
	seen.watch.await(t, "NOT_SERVING")
	server.signal(syscall.SIGCONT)
	seen.await("SERVING 100")
	if code := server.terminate(); code != 0 {
		t.Errorf("SIGTERM: got exit code %d, want 0", code)
	}
	seen.await("NOT_SERVING stopped")

	server, _ = e.cServer("500ms")
	seen.await("SERVING 100")
	server.kill()
	seen.await("NOT_SERVING lost")
	const hung, frozen = "SERVING 100, NOT_SERVING stalled, SERVING 100, ", "((NOT_SERVING stalled, )?(NOT_SERVING stale, )?SERVING 100, )?"
	seen.end(hung+frozen+"(NOT_SERVING draining, )?NOT_SERVING stopped, (NOT_SERVING starting, )?SERVING 100, NOT_SERVING lost",
		"SERVING, NOT_SERVING, SERVING, NOT_SERVING, SERVING, NOT_SERVING, SERVING, NOT_SERVING")

	// A hung server says goodbye, too.
	server, _ = e.cServer("500ms")
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	server.terminate()
	e.await(checkUDP, "epg", "NOT_SERVING stopped")
}

// A restart of landmarkd is not noticed while the program works, and does not hide that
// it hangs.
func TestCServerOverRestart(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.cServer("500ms")
	serveOverRestarts(e, server)
}
