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

// crowdAt has the listener, as NETWORK ADDRESS, that a process which a test
// started is to crowd.
const crowdAt = "LANDMARK_E2E_CROWD"

// nobody is a user who owns nothing.
const nobody = 65534

// crowd holds 150 idle connections to the listener until the process is
// killed, and opens each one that is closed on it again.
func crowd(listener string) {
	network, address, _ := strings.Cut(listener, " ")
	var tried sync.WaitGroup
	for range 150 {
		tried.Add(1)
		go func() {
			once := sync.OnceFunc(tried.Done)
			for {
				if conn, err := net.Dial(network, address); err == nil {
					time.AfterFunc(200*time.Millisecond, once) // time to be refused
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

// crowd crowds the listener, as the user nobody where there can be one.
func (e *env) crowd(listener string) {
	e.t.Helper()
	// The user may not search the directory that the binary lies in.
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

// newPoorHouse starts landmarkd with 64 descriptors, where every user can
// reach it.
func newLimitedEnv(t *testing.T) *env {
	t.Helper()
	dir, err := os.MkdirTemp("", "landmark") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	e := &env{t: t, socket: filepath.Join(dir, "agent.sock"), monitor: freeAddress(t), grpc: freeAddress(t), line: freeAddress(t)}
	e.sidecar = start(t, "/bin/sh", "-c", `ulimit -n 64; exec "$0" "$@"`,
		program("landmarkd"), "-agent-socket", e.socket, "-monitor", e.monitor, "-grpc", e.grpc, "-line", e.line)
	e.sidecar.awaitLine("landmarkd is ready")
	return e
}

// However many silent connections strangers open to a listener, all listeners
// answer a new client, and a program that starts again is found to serve.
func TestIdleConnectionsLeaveDescriptors(t *testing.T) {
	udp, tcp := checkLMP("udp", 0), checkLMP("tcp", 0)
	newGRPC := func(e *env, service string) string { return checkGRPC(e)(e, service) } // by a connection of its own
	all := map[string]checkFunc{"UDP": udp, "TCP": tcp, "gRPC": newGRPC, "line": checkLine}
	for _, tt := range []struct {
		crowded []string
		left    map[string]checkFunc // who is answered still
	}{
		{[]string{"agents"}, all},
		{[]string{"monitor"}, all},
		{[]string{"gRPC"}, all},
		{[]string{"line"}, all},
		{[]string{"agents", "monitor", "gRPC", "line"}, all},
	} {
		t.Run(strings.Join(tt.crowded, ","), func(t *testing.T) {
			e := newLimitedEnv(t)
			server, _ := e.epg(defaultWithin)
			for _, listener := range tt.crowded {
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
				}
			}
			for range 3 {
				server.kill()
				e.await(udp, "epg", "NOT_SERVING lost")
				begun := time.Now()
				server, _ = e.epg(defaultWithin)
				assertWithin(t, time.Since(begun), 2*time.Second, "the start of a program until it serves")
			}
			for name, ask := range tt.left {
				// The crowd has the client's own address, and may displace it now and then.
				told := ask(e, "epg")
				for over := time.Now().Add(testTimeout); strings.HasPrefix(told, "error") && time.Now().Before(over); {
					told = ask(e, "epg")
				}
				if !strings.HasPrefix(told, "SERVING") {
					t.Errorf("by %s is told %q", name, told)
				}
			}
			if open := e.sidecar.descriptors(); open > 64 {
				t.Errorf("landmarkd has %d descriptors", open)
			} else {
				t.Logf("landmarkd has %d descriptors", open)
			}
			if code := e.sidecar.terminate(); code != 0 {
				t.Errorf("landmarkd ended with exit code %d", code)
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

// With too few descriptors to share, landmarkd says so and does not start.
func TestTooFewDescriptorsFailsStart(t *testing.T) {
	code, _, stderr := runProgram(t, "/bin/sh", "-c", `ulimit -n 39; exec "$0" -agent-socket "" -monitor "" -grpc ""`, program("landmarkd"))
	if code != 1 || !strings.Contains(stderr, "only 39 files may be open") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
