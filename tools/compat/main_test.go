// Package compat_test tests the output of landmark snippet for programs that the
// tests do not run, with parts of these programs: Envoy's schema and its rules, and
// the types and the probe of Kubernetes. It then checks a real landmarkd as the
// configuration says.
//
// It is a separate module, so that Landmark's does not depend on these programs.
package compat_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// programs is the directory of the programs that TestMain builds.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "landmark-compat")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	build := exec.Command("go", "build", "-C", "../..", "-o", dir+"/", "./cmd/landmark", "./cmd/landmarkd", "./examples/epgd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// snippet returns the output of landmark snippet for a command line.
func snippet(t *testing.T, line string) []byte {
	t.Helper()
	out, err := exec.Command(filepath.Join(programs, "landmark"), append([]string{"snippet"}, strings.Fields(line)...)...).Output()
	if err != nil {
		t.Fatalf("landmark snippet %s: %v", line, err)
	}
	return out
}

// freePort returns a loopback port on which no process listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// pod is landmarkd with an EPG server, and the directory of landmarkd's sockets.
type pod struct {
	t       *testing.T
	runtime string
	epgd    *exec.Cmd
}

// newPod starts landmarkd with its command line, and the EPG server.
func newPod(t *testing.T, landmarkd ...string) *pod {
	t.Helper()
	p := &pod{t: t, runtime: t.TempDir()}
	p.start(landmarkd...)
	p.epgd = p.start("epgd", "-listen", "127.0.0.1:"+freePort(t), "-agent-socket", filepath.Join(p.runtime, "agent.sock"), "-within", "500ms")
	return p
}

// start starts one of Landmark's programs, which ends with the test.
func (p *pod) start(command ...string) *exec.Cmd {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(programs, command[0]), command[1:]...)
	cmd.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+p.runtime)
	cmd.Stderr = io.Discard
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// signal sends the signal to the EPG server.
func (p *pod) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.epgd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// await checks until the answer is the wanted one.
func await(t *testing.T, want string, check func() string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		got := check()
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 10 s: got %q, want %q", got, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
