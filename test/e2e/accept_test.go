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

// noAccept has the program that a process of the test binary becomes, once the
// kernel answers each of its accept4 calls with ENOBUFS.
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
	fmt.Fprintln(os.Stderr, "no filter:", err)
	os.Exit(1)
}

// TestAcceptErrorKeepsListeners: the kernel is out of memory for sockets,
// which Go does not call temporary. landmarkd answers by UDP as before.
func TestAcceptErrorKeepsListeners(t *testing.T) {
	e := &env{t: t, socket: t.TempDir() + "/agent.sock", monitor: freeAddress(t), grpc: freeAddress(t), line: freeAddress(t)}
	e.sidecar = prepare(t, "/proc/self/exe", "-agent-socket", e.socket, "-monitor", e.monitor, "-grpc", e.grpc, "-line", e.line)
	e.sidecar.cmd.Env = []string{noAccept + "=" + program("landmarkd")}
	e.sidecar.start()
	for _, listener := range []string{"agents", "operators", "monitor", `"line clients"`, `"gRPC clients"`} {
		e.sidecar.awaitLine("connections cannot be accepted; trying again\" of=" + listener)
	}
	for _, address := range []string{e.monitor, e.grpc, e.line} {
		conn, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err != nil {
			t.Fatalf("nothing listens on %s any more: %v", address, err)
		}
		conn.Close()
	}
	e.await(checkLMP("udp", 0), "epg", "UNKNOWN_SERVICE unknown service")
	if code := e.sidecar.terminate(); code != 0 {
		t.Errorf("landmarkd exits with %d", code)
	}
}
