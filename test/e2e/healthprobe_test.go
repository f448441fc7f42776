//go:build e2e

package e2e_test

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

// The unmodified grpc-health-probe exits with each of its codes, by TCP and by a
// Unix socket.
func TestHealthProbeExitCodes(t *testing.T) {
	parallel(t)
	probe := healthProbe(t)
	byTCP := newEnv(t)
	byUnix := newEnv(t)
	byUnix.sidecar.terminate()
	byUnix.grpc = "unix:" + filepath.Join(t.TempDir(), "grpc.sock")
	byUnix.start()

	for name, e := range map[string]*env{"TCP": byTCP, "Unix socket": byUnix} {
		t.Run(name, func(t *testing.T) {
			server, _ := e.epg("500ms")
			check := func(want int, args ...string) {
				t.Helper()
				code, out, errs := runProgram(t, probe, append([]string{"-addr", e.grpc}, args...)...)
				if code != want {
					t.Errorf("exit code for %q: got %d, want %d: %s%s", args, code, want, out, errs)
				}
			}
			for _, name := range []string{"", "epg", "epg-readiness", "epg-liveness", "epg-startup", "readiness", "liveness", "startup"} {
				check(0, "-service", name)
			}
			check(0, "-service", "epg", "-gzip")
			check(0, "-service", "epg", "-rpc-header", "landmark-max-age-ms: 1")
			check(1, "-service", "epg", "-no-such-flag")
			check(3, "-service", "missing") // NOT_FOUND
			check(3, "-service", "epg", "-rpc-header", "landmark-max-age-ms: soon")

			server.signal(syscall.SIGUSR1)
			e.await(checkUDP, "epg", "NOT_SERVING stalled")
			check(4, "-service", "epg")
			check(4, "-service", "")
			check(0, "-service", "epg-startup") // the program has started
		})
	}

	closed := freeAddress(t)
	if code, _, _ := runProgram(t, probe, "-addr", closed, "-connect-timeout", "100ms"); code != 2 {
		t.Errorf("exit code for a closed port: got %d, want 2", code)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if code, _, _ := runProgram(t, probe, "-addr", silent.Addr().String(), "-connect-timeout", "100ms"); code != 2 {
		t.Errorf("exit code for a port that never answers: got %d, want 2", code)
	}
}
