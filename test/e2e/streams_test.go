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

// A stream is what a test gives a program as standard output and error.
type stream struct {
	name   string
	shell  string                      // redirections, as sh has them
	open   func(t *testing.T) *os.File // nil = what the shell says
	stdout bool                        // a program that writes to it goes on
}

// badStreams are the streams that a program must get along with.
var badStreams = []stream{
	{name: "pipe that nothing reads", open: stuckPipe},
	{name: "pipe without a reader", open: closedPipe, stdout: true},
	{name: "full device", shell: ">/dev/full 2>&1", stdout: true},
	{name: "no streams", shell: "<&- >&- 2>&-", stdout: true},
}

// stuckPipe returns the end of a pipe that is full and that nothing reads.
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

// closedPipe returns the end of a pipe whose reader is gone.
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

// command returns a program that has the stream.
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
	p := &process{t: t, cmd: s.command(t, path, args...), exited: make(chan struct{}), more: make(chan struct{}, 1)}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(func() { p.kill() })
	return p
}

// hasRuntimeStreams fails the test unless the descriptors 0 to 2 of a program
// that got none are /dev/null: a socket in their place would get the log.
func hasRuntimeStreams(t *testing.T, p *process) {
	t.Helper()
	for _, fd := range []string{"0", "1", "2"} {
		if file, err := os.Readlink("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/fd/" + fd); file != "/dev/null" {
			t.Errorf("descriptor %s of %s is %q, %v", fd, p.cmd.Path, file, err)
		}
	}
}

// TestBrokenStreamsKeepVerdictsCorrect: whatever the standard streams are, each event gets to the
// track file, nothing dies of a log line, and all end with their exit codes.
func TestBrokenStreamsKeepVerdictsCorrect(t *testing.T) {
	udp := checkLMP("udp", 0)
	for _, s := range badStreams {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			e := &env{t: t, socket: t.TempDir() + "/agent.sock", monitor: freeAddress(t), grpc: freeAddress(t), line: freeAddress(t)}
			landmarkd := func() {
				e.sidecar = s.start(t, program("landmarkd"), "-agent-socket", e.socket, "-monitor", e.monitor, "-grpc", e.grpc)
			}
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
				for deadline := time.Now().Add(30 * time.Second); d.says("rs1") != want; time.Sleep(5 * time.Millisecond) {
					select {
					case <-watch.exited:
						t.Fatalf("after %s landmark-watch ended: %v", after, watch.cmd.ProcessState)
					case <-e.sidecar.exited:
						if after != "landmarkd's death" {
							t.Fatalf("after %s landmarkd ended: %v", after, e.sidecar.cmd.ProcessState)
						}
					default:
					}
					if time.Now().After(deadline) {
						t.Fatalf("after %s the track file says %q, want %q", after, d.says("rs1"), want)
					}
				}
			}
			becomes("0", "the start")
			if strings.Contains(s.shell, "<&-") {
				for _, p := range []*process{e.sidecar, watch, server} {
					hasRuntimeStreams(t, p)
				}
			}
			server.signal(syscall.SIGUSR1)
			becomes(out, "a wedge")
			server.signal(syscall.SIGUSR2)
			becomes("0", "its end")
			server.kill()
			becomes(out, "the program's death")
			epgd()
			becomes("0", "its start")
			if code, _, errs := runProgram(t, program("landmark"), "drain", "-admin-socket", e.adminSocket(), "epg"); code != 0 {
				t.Errorf("landmark drain exits with %d: %s", code, errs)
			}
			becomes(out, "a drain")
			if code, _, errs := runProgram(t, program("landmark"), "resume", "-admin-socket", e.adminSocket(), "epg"); code != 0 {
				t.Errorf("landmark resume exits with %d: %s", code, errs)
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
					t.Errorf("%s ended with %v", p.cmd.Args[3], p.cmd.ProcessState)
				}
			}
		})
	}
}

// TestLandmarkWatchIgnoresSIGHUP: landmark-watch outlives SIGHUP, and says once that it changes
// nothing.
func TestLandmarkWatchIgnoresSIGHUP(t *testing.T) {
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
		t.Errorf("landmark-watch exits with %d", code)
	}
	if n := strings.Count(strings.Join(d.written(), "\n"), "SIGHUP"); n != 1 {
		t.Errorf("the log has SIGHUP %d times, want once", n)
	}
}

// TestStartErrorReachesSlowReader: the last line is written before a program ends.
func TestStartErrorReachesSlowReader(t *testing.T) {
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
			t.Errorf("%q exits with %d and says %q, want %d and %q", tt.args, code, errs, tt.code, tt.says)
		}
	}
}

// TestClosedOutputEndsWithoutError: landmark watch | head ends without a complaint.
func TestClosedOutputEndsWithoutError(t *testing.T) {
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
				t.Errorf("landmark %s: %v, %q", command, err, errs.String())
			}
		case <-time.After(30 * time.Second):
			server.signal(syscall.SIGUSR1)
			t.Fatalf("landmark %s did not end", command)
		}
	}
}

// TestDrainWaitsWithoutOutput: a preStop hook waits for as long as it was told,
// even if what it prints goes nowhere.
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
			t.Errorf("%s: it ended after %v with %v", s.name, took, cmd.ProcessState)
		}
	}
}

// TestBrokenStreamsKeepExitCode: the exit code is the answer, whatever the streams are.
func TestBrokenStreamsKeepExitCode(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg("1s")
	for _, s := range badStreams {
		for service, want := range map[string]int{"epg": 0, "other": 3} {
			cmd := s.command(t, program("landmark-check"), "-addr", e.monitor, "-service", service, "-timeout", "2s")
			cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != want {
				t.Errorf("%s: landmark-check of %s ends with %v, want %d", s.name, service, cmd.ProcessState, want)
			}
		}
	}
}

// TestStandardErrorStaysBlocking: standard error stays blocking, for other
// processes write to it as well.
func TestStandardErrorStaysBlocking(t *testing.T) {
	r, w := pipe(t)
	defer r.Close()
	p := &process{t: t, cmd: exec.Command(program("landmarkd"), "-agent-socket", t.TempDir()+"/a.sock", "-monitor", freeAddress(t), "-grpc", ""), exited: make(chan struct{}), more: make(chan struct{}, 1)}
	p.cmd.Stderr = w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(func() { p.kill() })
	if n, err := r.Read(make([]byte, 1)); n != 1 {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(w.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("the flags of standard error are %#o, %v", flags, err)
	}
}
