//go:build e2e

package e2e_test

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// noAccept is an environment variable. It makes the test binary execute the named
// program, whose accept4 calls all fail with ENOBUFS.
const noAccept = "LANDMARK_E2E_NO_ACCEPT"

func init() {
	path := os.Getenv(noAccept)
	if path == "" {
		return
	}
	runtime.LockOSThread()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_ACCEPT4, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOBUFS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	}
	if err == nil {
		err = syscall.Exec(path, append([]string{path}, os.Args[1:]...), nil)
	}
	fmt.Fprintln(os.Stderr, "setting the seccomp filter:", err)
	os.Exit(1)
}

// If the kernel has no memory for sockets, which Go does not call temporary, all
// listeners go on, and landmarkd answers by UDP.
func TestAcceptErrorKeepsListeners(t *testing.T) {
	parallel(t)
	e := prepareEnv(t)
	e.sidecar = prepare(t, "/proc/self/exe", e.flags()...)
	e.sidecar.cmd.Env = []string{noAccept + "=" + program("landmarkd")}
	e.sidecar.start()
	for _, listener := range []string{"agents", "operators", `"monitoring clients"`, `"line clients"`, `"gRPC clients"`, `"HTTP clients"`} {
		e.sidecar.awaitLine("connections cannot be accepted; trying again\" of=" + listener)
	}
	for _, address := range []string{e.monitor, e.grpc, e.line, e.http} {
		conn, err := net.DialTimeout("tcp", address, 30*time.Second)
		if err != nil {
			t.Fatalf("connecting to %s: got %v, want a listener", address, err)
		}
		conn.Close()
	}
	e.await(checkLMP("udp", 0), "epg", "UNKNOWN_SERVICE unknown service")
	if code := e.sidecar.terminate(); code != 0 {
		t.Errorf("exit code of landmarkd: got %d, want 0", code)
	}
}
