package sdnotify

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// withoutMainThread is the environment variable of a process whose main thread exits
// before main, while another one goes on.
const withoutMainThread = "LANDMARK_SDNOTIFY_TEST_WITHOUT_MAIN_THREAD"

func init() { // on the main thread
	if os.Getenv(withoutMainThread) != "" {
		go func() {
			for readStatOfMainThread() != 'Z' {
				runtime.Gosched()
			}
			os.Stdout.WriteString("gone\n")
			os.Stdin.Read(make([]byte, 1)) // until the test ends
		}()
		syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0) // of this thread
	}
}

func readStatOfMainThread() byte {
	s, _ := readStatFile("/proc/self/stat")
	return s.state
}

// A process whose main thread has exited still runs, and can be stopped.
func TestMainThreadExits(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), withoutMainThread+"=1")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("got %q, %v", line, err)
	}
	if s, err := readStat(cmd.Process.Pid); err != nil || s.exited() || s.stopped() {
		t.Errorf("running: got %+v, %v", s, err)
	}
	cmd.Process.Signal(syscall.SIGSTOP)
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		s, err := readStat(cmd.Process.Pid)
		if err == nil && s.stopped() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("stopped: got %+v, %v", s, err)
		}
	}
	cmd.Process.Kill()
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		s, err := readStat(cmd.Process.Pid)
		if err == nil && s.exited() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("killed: got %+v, %v", s, err)
		}
	}
}
