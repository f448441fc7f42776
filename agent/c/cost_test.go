//go:build linux

package c_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

var costProgram = once("gcc", "-std=c99 -D_GNU_SOURCE -O2 "+warnings, "cost", "cost.c", "implementation.c")

// noAsynchronousIO is the exit status of the program on a kernel where landmark_reach has
// to read the clock.
const noAsynchronousIO = 77

// landmark_reach makes no system call while nothing is due, and one sendto when it is.
// The rest of what it does then is to ask for the process number, in case of a fork, and
// to set the timer.
func TestReachSystemCalls(t *testing.T) {
	r := newReceiver(t)
	go func() { // so that the socket does not become full
		for {
			if _, _, err := r.conn.ReadFromUnix(make([]byte, 8192)); err != nil {
				return
			}
		}
	}()
	cmd := exec.Command(costProgram(t), "calls")
	cmd.Env = []string{"LANDMARK_NOTIFY_SOCKET=" + r.path}
	cmd.Stderr = os.Stderr
	parts := trace(t, cmd)
	if len(parts) < 5 {
		t.Fatalf("got the system calls %v, want them in five parts", parts)
	}
	// The last rounds, in which the host made no pause.
	parts = parts[len(parts)-5:]
	if got := parts[1]; len(got) > 0 {
		t.Errorf("100,000 calls while nothing is due: got the system calls %v, want none", got)
	}
	due := parts[3]
	sent := 0
	for _, call := range due {
		switch call {
		case syscall.SYS_SENDTO:
			sent++
		case syscall.SYS_GETPID, syscall.SYS_TIMERFD_SETTIME, syscall.SYS_IO_SUBMIT, syscall.SYS_IO_GETEVENTS:
		default:
			t.Errorf("a call when it is due: got the system call %d", call)
		}
	}
	if sent != 1 || len(due) > 5 {
		t.Errorf("a call when it is due: got the system calls %v, want one sendto and at most four others", due)
	}
}

// trace runs a program and returns its system calls, split where it calls getppid.
func trace(t *testing.T, cmd *exec.Cmd) (parts [][]int) {
	t.Helper()
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skip("this process may not trace another one")
		}
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
		t.Fatalf("waiting for the program: %v, status %#x", err, status)
	}
	const stopInCall = syscall.SIGTRAP | 0x80 // PTRACE_O_TRACESYSGOOD
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACESYSGOOD); err != nil {
		t.Fatal(err)
	}
	parts = [][]int{nil}
	for signal := 0; ; {
		if err := syscall.PtraceSyscall(pid, signal); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			t.Fatal(err)
		}
		switch {
		case status.Exited() && status.ExitStatus() == noAsynchronousIO:
			t.Skip("the kernel has no asynchronous I/O")
		case status.Exited() && status.ExitStatus() == 0:
			return parts
		case !status.Stopped():
			t.Fatalf("the program ended with the status %#x", status)
		}
		signal = 0
		if status.StopSignal() != stopInCall {
			signal = int(status.StopSignal())
			continue
		}
		call, entered := systemCall(t, pid)
		switch {
		case !entered:
		case call == syscall.SYS_GETPPID:
			parts = append(parts, nil)
		default:
			parts[len(parts)-1] = append(parts[len(parts)-1], call)
		}
	}
}

// systemCall returns the number of the system call that the process is in, and whether it
// has just entered it: PTRACE_GET_SYSCALL_INFO of ptrace(2).
func systemCall(t *testing.T, pid int) (number int, entered bool) {
	t.Helper()
	var info struct {
		Op       uint8
		_        [3]uint8
		Arch     uint32
		IP, SP   uint64
		Number   uint64
		Argument [6]uint64
		_        uint64
	}
	const ptraceGetSyscallInfo, entry = 0x420e, 1
	if _, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(pid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0); errno != 0 {
		t.Fatalf("PTRACE_GET_SYSCALL_INFO: %v", errno)
	}
	return int(info.Number), info.Op == entry
}
