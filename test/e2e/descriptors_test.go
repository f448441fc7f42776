//go:build e2e

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// crowdAt is an environment variable. It makes the test binary crowd the named
// listener, in the form NETWORK ADDRESS.
const crowdAt = "LANDMARK_E2E_CROWD"

// nobody is the user of that name.
const nobody = 65534

// crowd holds 150 idle connections to the listener until the process is killed,
// and opens each one again that the listener closes.
func crowd(listener string) {
	network, address, _ := strings.Cut(listener, " ")
	var tried sync.WaitGroup
	for range 150 {
		tried.Add(1)
		go func() {
			once := sync.OnceFunc(tried.Done)
			for {
				if conn, err := net.Dial(network, address); err == nil {
					time.AfterFunc(200*time.Millisecond, once) // so long the listener may take to close it
					io.Copy(io.Discard, conn)
					conn.Close()
				}
				once()
				time.Sleep(500 * time.Millisecond)
			}
		}()
	}
	tried.Wait()
	fmt.Fprintln(os.Stderr, "crowded")
	select {}
}

// crowd starts a process that crowds the listener, under root as the user nobody.
func (e *env) crowd(listener string) {
	e.t.Helper()
	// The user nobody may not search the directory of the test binary.
	p := prepare(e.t, "/proc/self/exe")
	p.cmd.Env = []string{crowdAt + "=" + listener}
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	p.start()
	p.awaitLine("crowded")
}

// newLimitedEnv starts landmarkd with 64 descriptors and with sockets that every
// user can reach.
func newLimitedEnv(t *testing.T) *env {
	t.Helper()
	dir, err := os.MkdirTemp("", "landmark") // other users cannot read t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	e := prepareEnv(t)
	e.socket = filepath.Join(dir, "agent.sock")
	e.sidecar = start(t, "/bin/sh", append([]string{"-c", `ulimit -n 64; exec "$0" "$@"`, program("landmarkd")}, e.flags()...)...)
	e.sidecar.awaitLine("landmarkd is ready")
	return e
}

// However many idle connections clients open to a listener, every listener answers
// a new client, and a program that restarts is reported as serving.
func TestIdleConnectionsLeaveDescriptors(t *testing.T) {
	parallel(t)
	udp, tcp := checkLMP("udp", 0), checkLMP("tcp", 0)
	newGRPC := func(e *env, service string) string { return checkGRPC(e)(e, service) } // over a new connection
	all := map[string]checkFunc{"UDP": udp, "TCP": tcp, "gRPC": newGRPC, "line": checkLine, "HTTP": checkHTTP}
	for _, crowded := range [][]string{{"agents"}, {"monitor"}, {"gRPC"}, {"line"}, {"HTTP"}, {"agents", "monitor", "gRPC", "line", "HTTP"}} {
		t.Run(strings.Join(crowded, ","), func(t *testing.T) {
			e := newLimitedEnv(t)
			server, _ := e.epg(defaultWithin)
			for _, listener := range crowded {
				switch listener {
				case "agents":
					if os.Geteuid() != 0 {
						t.Skip("only root can start a process of another user")
					}
					e.crowd("unix " + e.socket)
					e.sidecar.awaitLine(fmt.Sprint("agents of uid ", nobody))
				case "monitor":
					e.crowd("tcp " + e.monitor)
				case "gRPC":
					e.crowd("tcp " + e.grpc)
					e.sidecar.awaitLine("gRPC clients")
				case "line":
					e.crowd("tcp " + e.line)
					e.sidecar.awaitLine("line clients")
				case "HTTP":
					e.crowd("tcp " + e.http)
					e.sidecar.awaitLine("HTTP clients")
				}
			}
			for range 3 {
				server.kill()
				e.await(udp, "epg", "NOT_SERVING lost")
				begun := time.Now()
				server, _ = e.epg(defaultWithin)
				assertWithin(t, time.Since(begun), 2*time.Second, "the start of a program until it serves")
			}
			for name, check := range all {
				// The crowd has the client's IP address, and may displace its connection.
				got := check(e, "epg")
				for deadline := time.Now().Add(testTimeout); strings.HasPrefix(got, "error") && time.Now().Before(deadline); {
					got = check(e, "epg")
				}
				if !strings.HasPrefix(got, "SERVING") {
					t.Errorf("by %s: got %q, want SERVING", name, got)
				}
			}
			open := e.sidecar.descriptors()
			t.Logf("landmarkd has %d descriptors", open)
			if open > 64 {
				t.Errorf("descriptors of landmarkd: got %d, want at most 64", open)
			}
			if code := e.sidecar.terminate(); code != 0 {
				t.Errorf("exit code of landmarkd: got %d, want 0", code)
			}
		})
	}
}

// descriptors returns how many descriptors the process has open.
func (p *process) descriptors() int {
	p.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(open)
}

// With too few descriptors, landmarkd does not start, and says why.
func TestTooFewDescriptorsFailsStart(t *testing.T) {
	code, _, stderr := runProgram(t, "/bin/sh", "-c", `ulimit -n 39; exec "$0" -agent-socket "" -monitor "" -grpc ""`, program("landmarkd"))
	if code != 1 || !strings.Contains(stderr, "only 39 files may be open") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("got exit code %d, %s, want 1 and one line with the limit", code, stderr)
	}
}
