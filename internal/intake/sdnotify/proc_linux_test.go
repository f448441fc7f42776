package sdnotify

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
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

// withoutProc is the environment variable of a process to which /proc does not show those
// of other users.
const withoutProc = "LANDMARK_SDNOTIFY_TEST_WITHOUT_PROC"

// TestWithoutProc is that process.
func TestWithoutProc(t *testing.T) {
	if os.Getenv(withoutProc) == "" {
		return // started by no test
	}
	const nobody = 65534
	for _, err := range []error{
		syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("proc", "/proc", "proc", 0, "hidepid=2"), // as some distributions recommend
		syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody),
	} {
		if err != nil {
			t.Skip(err)
		}
	}
	run(t, Config{}, func(f *fixture) {
		f.readStat = readStat
		own, parent := os.Getpid(), os.Getppid()
		const remedy = "no such file or directory): mount /proc without hidepid=, or with the gid="
		f.refused("epg", parent, 0, fmt.Sprintf("the process %d: it runs, and landmarkd cannot read what /proc says of it (open /proc/%[1]d/stat: %s", parent, remedy), "READY=1")
		f.refused("epg", parent, 0, "its sender: it runs, and landmarkd cannot read what /proc says of it (open /proc/", "READY=1", fmt.Sprint("MAINPID=", own))
		f.refused("epg", own, nobody, fmt.Sprintf("MAINPID=%d: it runs, and landmarkd cannot read what /proc says of it (open /proc/", parent), "READY=1", fmt.Sprint("MAINPID=", parent))
	})
}

// A notification of a process that /proc does not show is refused, and the error says what
// to do.
func TestHiddenProcessIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount /proc")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestWithoutProc$", "-test.v")
	cmd.Env = append(os.Environ(), withoutProc+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("%s", out)
	}
}

// A process that a sender names and that is not there is refused as such, with and
// without the rights of root.
func TestMissingMainProcessIsRefused(t *testing.T) {
	run(t, Config{}, func(f *fixture) {
		gone := f.process()
		gone.Kill()
		gone.Wait()
		for _, uid := range []uint32{0, 1} {
			f.refused("epg", os.Getpid(), uid, fmt.Sprintf("MAINPID=%d: there is no such process", gone.Pid), "READY=1", fmt.Sprint("MAINPID=", gone.Pid))
		}
	})
}
