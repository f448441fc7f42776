//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stream is what a program gets as standard output and standard error.
type stream struct {
	name   string
	shell  string                      // redirections for sh
	open   func(t *testing.T) *os.File // nil = only the redirections
	stdout bool                        // a write to it does not block
}

// badStreams are streams with which every program must work.
var badStreams = []stream{
	{name: "pipe that nothing reads", open: stuckPipe},
	{name: "pipe without a reader", open: closedPipe, stdout: true},
	{name: "full device", shell: ">/dev/full 2>&1", stdout: true},
	{name: "no streams", shell: "<&- >&- 2>&-", stdout: true},
}

// stuckPipe returns the write end of a pipe that is full and has a reader that
// does not read.
func stuckPipe(t *testing.T) *os.File {
	t.Helper()
	r, w := pipe(t)
	t.Cleanup(func() { r.Close() })
	fd := int(w.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for size := 4096; size > 0; {
		if _, err := syscall.Write(fd, make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	return w
}

// closedPipe returns the write end of a pipe whose read end is closed.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w := pipe(t)
	r.Close()
	return w
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return r, w
}

// command returns the command of a program that has the stream.
func (s stream) command(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"-c", `exec "$0" "$@" ` + s.shell, path}, args...)...)
	if s.open != nil {
		f := s.open(t)
		cmd.Stdout, cmd.Stderr = f, f
	}
	return cmd
}

// start starts a program that has the stream.
func (s stream) start(t *testing.T, path string, args ...string) *process {
	t.Helper()
	p := newProcess(t, s.command(t, path, args...))
	p.startUnread()
	return p
}

// assertNullStreams asserts that the descriptors 0 to 2 of a program that got none
// are /dev/null. A socket in their place would receive the log.
func assertNullStreams(t *testing.T, p *process) {
	t.Helper()
	for _, fd := range []string{"0", "1", "2"} {
		if file, err := os.Readlink("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/fd/" + fd); file != "/dev/null" {
			t.Errorf("descriptor %s of %s: got %q, %v, want /dev/null", fd, p.cmd.Path, file, err)
		}
	}
}

// Whatever the standard streams are, each event reaches the track file, no program
// dies of a log line, and each exits with its code.
func TestBrokenStreamsKeepVerdictsCorrect(t *testing.T) {
	parallel(t)
	udp := checkLMP("udp", 0)
	for _, s := range badStreams {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			e := prepareEnv(t)
			landmarkd := func() { e.sidecar = s.start(t, program("landmarkd"), e.flags()...) }
			address := freeAddress(t)
			var server *process
			epgd := func() {
				server = s.start(t, program("epgd"), "-listen", address, "-agent-socket", e.socket, "-within", "1s")
				e.await(udp, "epg", "SERVING none")
			}
			landmarkd()
			epgd()
			dir := t.TempDir()
			watch := s.start(t, program("landmark-watch"), "-dir", dir, "-target", "rs1="+e.monitor+"/epg")
			d := &director{t: t, dir: dir}
			becomes := func(want, after string) {
				t.Helper()
				for deadline := time.Now().Add(30 * time.Second); d.content("rs1") != want; time.Sleep(5 * time.Millisecond) {
					select {
					case <-watch.exited:
						t.Fatalf("after %s: landmark-watch exited: %v", after, watch.cmd.ProcessState)
					case <-e.sidecar.exited:
						if after != "landmarkd's death" {
							t.Fatalf("after %s: landmarkd exited: %v", after, e.sidecar.cmd.ProcessState)
						}
					default:
					}
					if time.Now().After(deadline) {
						t.Fatalf("track file after %s: got %q, want %q", after, d.content("rs1"), want)
					}
				}
			}
			becomes("0", "the start")
			if strings.Contains(s.shell, "<&-") {
				for _, p := range []*process{e.sidecar, watch, server} {
					assertNullStreams(t, p)
				}
			}
			server.signal(syscall.SIGUSR1)
			becomes(out, "a hang")
			server.signal(syscall.SIGUSR2)
			becomes("0", "its end")
			server.kill()
			becomes(out, "the program's death")
			epgd()
			becomes("0", "its start")
			if code, _, errs := runProgram(t, program("landmark"), "drain", "-admin-socket", e.adminSocket(), "epg"); code != 0 {
				t.Errorf("exit code of landmark drain: got %d, want 0: %s", code, errs)
			}
			becomes(out, "a drain")
			if code, _, errs := runProgram(t, program("landmark"), "resume", "-admin-socket", e.adminSocket(), "epg"); code != 0 {
				t.Errorf("exit code of landmark resume: got %d, want 0: %s", code, errs)
			}
			becomes("0", "a resume")
			watch.signal(syscall.SIGHUP)
			watch.signal(syscall.SIGHUP)
			e.sidecar.signal(syscall.SIGHUP)
			e.sidecar.kill()
			becomes(out, "landmarkd's death")
			landmarkd()
			becomes("0", "landmarkd's start")
			for _, p := range []*process{server, watch, e.sidecar} {
				if code := p.terminate(); code != 0 {
					t.Errorf("%s: got %v, want exit code 0", p.cmd.Args[3], p.cmd.ProcessState)
				}
			}
		})
	}
}

// landmark-watch ignores SIGHUP, and logs once that it changes nothing.
func TestLandmarkWatchIgnoresSIGHUP(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg("1s")
	d := newDirector(t, "-target", "rs1="+e.monitor+"/epg")
	d.awaitLine("landmark-watch is ready")
	d.signal(syscall.SIGHUP)
	d.awaitLine("SIGHUP changes nothing")
	d.signal(syscall.SIGHUP)
	e.landmark(0, "drain", "epg")
	d.awaitLine("the target is not serving, draining")
	if code := d.terminate(); code != 0 {
		t.Errorf("exit code of landmark-watch: got %d, want 0", code)
	}
	if n := d.count("SIGHUP"); n != 1 {
		t.Errorf("log lines about SIGHUP: got %d, want 1", n)
	}
}

// A program writes its last line before it exits.
func TestStartErrorIsWritten(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"landmarkd", "-agent-socket", "/dev/null/x"}, 1, "landmarkd: -agent-socket"},
		{[]string{"landmarkd", "-x"}, 2, "landmarkd: flag provided"},
		{[]string{"landmark-watch", "-dir", "/nonexistent", "-target", "a=127.0.0.1:1/"}, 1, "give -dir a directory"},
		{[]string{"landmark-watch"}, 2, "-dir is missing"},
		{[]string{"landmark", "status", "-x"}, 1, "landmark help status"},
		{[]string{"epgd", "-listen", "127.0.0.1:x"}, 1, "epgd: "},
	} {
		code, _, errs := runProgram(t, program(tt.args[0]), tt.args[1:]...)
		if code != tt.code || !strings.Contains(errs, tt.says) {
			t.Errorf("%q: got exit code %d, %q, want %d, %q", tt.args, code, errs, tt.code, tt.says)
		}
	}
}

// landmark watch and landmark status exit without an error when the reader of their
// output is gone, as in landmark watch | head.
func TestClosedOutputEndsWithoutError(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("1s")
	for _, command := range []string{"watch", "status"} {
		var errs strings.Builder
		cmd := exec.Command(program("landmark"), command, "-addr", e.grpc)
		cmd.Stdout, cmd.Stderr = closedPipe(t), &errs
		ended := make(chan error, 1)
		go func() { ended <- cmd.Run() }()
		select {
		case err := <-ended:
			if err != nil || errs.Len() > 0 {
				t.Errorf("landmark %s: got %v, %q, want exit code 0 and no output", command, err, errs.String())
			}
		case <-time.After(30 * time.Second):
			server.signal(syscall.SIGUSR1)
			t.Fatalf("landmark %s did not exit", command)
		}
	}
}

// landmark drain -wait, for instance in a preStop hook, waits as long as its flag
// says, even if its output is lost.
func TestDrainWaitsWithoutOutput(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg("1s")
	for _, s := range badStreams {
		if !s.stdout {
			continue
		}
		begun := time.Now()
		cmd := s.command(t, program("landmark"), "drain", "-admin-socket", e.adminSocket(), "-wait", "1s", "epg")
		cmd.Run()
		if took := time.Since(begun); took < time.Second || cmd.ProcessState.ExitCode() < 0 {
			t.Errorf("%s: got %v after %v, want an exit after at least 1 s", s.name, cmd.ProcessState, took)
		}
	}
}

// The exit code of landmark-check does not depend on the standard streams.
func TestBrokenStreamsKeepExitCode(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg("1s")
	for _, s := range badStreams {
		for service, want := range map[string]int{"epg": 0, "other": 3} {
			cmd := s.command(t, program("landmark-check"), "-addr", e.monitor, "-service", service, "-timeout", "2s")
			cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != want {
				t.Errorf("%s: landmark-check of %s: got %v, want exit code %d", s.name, service, cmd.ProcessState, want)
			}
		}
	}
}

// landmarkd leaves standard error blocking, because other processes write to the
// same descriptor.
func TestStandardErrorStaysBlocking(t *testing.T) {
	r, w := pipe(t)
	defer r.Close()
	p := prepare(t, program("landmarkd"), "-agent-socket", t.TempDir()+"/a.sock", "-monitor", freeAddress(t), "-grpc", "", "-http", "")
	p.cmd.Stderr = w
	p.startUnread()
	if n, err := r.Read(make([]byte, 1)); n != 1 {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(w.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags of standard error: got %#o, %v, want no O_NONBLOCK", flags, err)
	}
}
