//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// out is what a track file says of a server that keepalived is to take out.
const out = "-2147483648"

// in is for wants: that a server is in at some weight, and comes to its whole one.
const in = "in"

var weight = regexp.MustCompile("^(0|-[0-9]{1,2})$")

// written is one time that a track file was written, and what it said then.
type written struct {
	says string
	at   time.Time
}

// director is a landmark-watch, and all that keepalived would notice of its
// directory.
type director struct {
	*process
	t      *testing.T
	dir    string
	args   []string // besides -dir
	events chan written
}

// newDirector starts a landmark-watch with the arguments in an empty directory.
func newDirector(t *testing.T, args ...string) *director {
	t.Helper()
	d := &director{t: t, dir: t.TempDir(), args: args, events: make(chan written, 1000)}
	// As keepalived 2.2.7 does, which also counts what is closed after writing.
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.InotifyAddWatch(fd, d.dir, unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO|unix.IN_DELETE|unix.IN_MOVED_FROM); err != nil {
		t.Fatal(err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	t.Cleanup(func() { events.Close() })
	go d.read(events)
	d.startAgain()
	return d
}

// startAgain starts the landmark-watch.
func (d *director) startAgain() {
	d.process = start(d.t, program("landmark-watch"), append([]string{"-dir", d.dir}, d.args...)...)
}

// read notes what happens to each file that keepalived would read.
func (d *director) read(events *os.File) {
	for b := make([]byte, 1<<16); ; {
		n, err := events.Read(b)
		if err != nil {
			return
		}
		now := time.Now()
		for rest := b[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			length := int(binary.NativeEndian.Uint32(rest[12:]))
			name := string(bytes.TrimRight(rest[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length], "\x00"))
			rest = rest[unix.SizeofInotifyEvent+length:]
			if !strings.HasPrefix(name, ".") {
				d.events <- written{d.says(name), now}
			}
		}
	}
}

// says returns what a track file says now.
func (d *director) says(name string) string {
	b, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(string(b), "\n")
}

// next waits for the next time that a file is written.
func (d *director) next(after string) written {
	d.t.Helper()
	select {
	case w := <-d.events:
		return w
	case <-time.After(testTimeout):
		d.t.Fatalf("after %s the file was not written in %v, and says %q", after, testTimeout, d.says("rs1"))
		panic("not reached")
	}
}

// wants waits for the next time that a file is written, which must say so,
// and where times are held be no later than the bound after the event.
func (d *director) wants(says, after string, event time.Time, bound time.Duration) {
	d.t.Helper()
	w := d.next(after)
	took := w.at.Sub(event)
	d.t.Logf("%-28s %12s after %v", after, w.says, took.Round(10*time.Microsecond))
	if w.says != says && !(says == in && weight.MatchString(w.says)) {
		d.t.Errorf("after %s the file said %q, want %q", after, w.says, says)
	}
	assertWithin(d.t, took, bound, "%s to %q", after, w.says)
	for says == in && w.says != "0" {
		w = d.next(after) // a program that was late has its whole weight only after a while
	}
}

// quiet checks that no file was touched.
func (d *director) quiet(after string) {
	d.t.Helper()
	select {
	case w := <-d.events:
		d.t.Errorf("after %s a file was written, and says %q", after, w.says)
	default:
	}
}

// A track file follows what happens to a program and its sidecar, in time for
// keepalived.
func TestTrackFileFollowsVerdict(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	started := time.Now()
	d := newDirector(t, "-target", "rs1="+e.monitor+"/epg,weight=100")
	// No word is held back for longer than the sidecar's own start grace.
	d.wants(out, "start, with no service", started, 2*time.Second)
	d.awaitLine("landmark-watch is ready")
	server, _ := e.epg(defaultWithin)
	d.wants(in, "start of the program", time.Now(), time.Second)

	d.wants(out, "wedge", server.signal(syscall.SIGUSR1), 650*time.Millisecond)
	d.wants(in, "being freed", server.signal(syscall.SIGUSR2), 650*time.Millisecond)

	begun := time.Now()
	e.landmark(0, "drain", "epg")
	d.wants("-100", "drain", begun, time.Second)
	begun = time.Now()
	e.landmark(0, "resume", "epg")
	d.wants(in, "resume", begun, time.Second)

	d.wants(out, "SIGKILL of the program", server.signal(syscall.SIGKILL), 100*time.Millisecond)
	server, _ = e.epg("5s")
	d.wants(in, "another program", time.Now(), time.Second)
	d.wants(out, "SIGSTOP of the program", server.signal(syscall.SIGSTOP), 2*time.Second)
	d.wants(in, "SIGCONT of the program", server.signal(syscall.SIGCONT), time.Second)

	// A sidecar that is frozen or gone says nothing, and that is out too.
	d.wants(out, "SIGSTOP of the sidecar", e.sidecar.signal(syscall.SIGSTOP), 3500*time.Millisecond)
	d.wants(in, "SIGCONT of the sidecar", e.sidecar.signal(syscall.SIGCONT), 3*time.Second)
	d.wants(out, "SIGKILL of the sidecar", e.sidecar.kill(), 3500*time.Millisecond)
	d.awaitLine("the target is silent")
	begun = time.Now()
	e.start()
	d.wants(in, "start of the sidecar", begun, 3*time.Second)
	d.quiet("all that")
	if code := d.terminate(); code != 0 {
		t.Errorf("landmark-watch exits with %d", code)
	}
}

// A restart of the sidecar or of landmark-watch under a healthy program touches no
// file, nor does one under a program that is out bring it in.
func TestTrackFileUnchangedByRestart(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg(defaultWithin)
	d := newDirector(t, "-target", "rs1="+e.monitor+"/epg")
	d.wants(in, "start", time.Now(), time.Second)
	restarts := func() {
		for _, end := range []func(){func() { e.sidecar.kill() }, func() { e.sidecar.terminate() }, func() { e.sidecar.kill() }} {
			end()
			e.start()
			time.Sleep(1500 * time.Millisecond) // a keep-alive comes each second
			d.quiet("a restart of the sidecar")
		}
		for _, end := range []func(){func() { d.kill() }, func() { d.terminate() }} {
			end()
			d.startAgain()
			d.awaitLine("landmark-watch is ready")
			d.quiet("a restart of landmark-watch")
		}
		d.signal(syscall.SIGSTOP)
		time.Sleep(5 * time.Second)
		d.signal(syscall.SIGCONT)
		time.Sleep(1500 * time.Millisecond)
		d.quiet("a pause of landmark-watch itself")
	}
	restarts()
	server.signal(syscall.SIGUSR1)
	d.wants(out, "wedge", time.Now(), time.Second)
	restarts()

	// While landmark-watch is away the file stays, and is true when it is back.
	d.terminate()
	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "SERVING none")
	d.quiet("a change that nobody watched")
	begun := time.Now()
	d.startAgain()
	d.wants(in, "start of landmark-watch", begun, time.Second)

	// A sidecar that stays away is silence, also for who starts only then.
	e.sidecar.terminate()
	d.terminate()
	begun = time.Now()
	d.startAgain()
	d.wants(out, "start without a sidecar", begun, 3500*time.Millisecond)
}

// Where landmarkd has keys, landmark-watch needs one of them.
func TestTrackFileNeedsKey(t *testing.T) {
	parallel(t)
	keys := map[string]string{}
	for name, content := range map[string]string{
		"landmarkd": "7:" + strings.Repeat("a1", 32), "right": "7:" + strings.Repeat("a1", 32), "wrong": "7:" + strings.Repeat("a2", 32),
	} {
		keys[name] = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(keys[name], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := newEnv(t, "-monitor-keys", keys["landmarkd"])
	target := "rs1=" + e.monitor + "/epg"
	right := newDirector(t, "-key-file", keys["right"], "-target", target)
	begun := time.Now()
	wrong, none := newDirector(t, "-key-file", keys["wrong"], "-target", target), newDirector(t, "-target", target)
	start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", e.socket, "-within", defaultWithin)
	if w := right.next("start"); w.says == out {
		right.next("report of the program") // which came after the start grace
	}
	if says := right.says("rs1"); says != "0" {
		t.Errorf("with the key the file says %q", says)
	}
	wrong.wants(out, "start with a wrong key", begun, 3500*time.Millisecond)
	none.wants(out, "start without a key", begun, 3500*time.Millisecond)
	wrong.awaitLine("closed the connection without an answer")
}

// One landmark-watch writes to a directory, and says which arguments are wrong.
func TestLandmarkWatchStartErrors(t *testing.T) {
	parallel(t)
	d := newDirector(t, "-target", "rs1=127.0.0.1:1/epg")
	d.wants(out, "start", time.Now(), 4*time.Second)
	for _, tt := range []struct {
		code int
		args string
		says string
	}{
		{1, "-dir " + d.dir + " -target rs1=127.0.0.1:1/epg", "another landmark-watch"},
		{1, "-dir " + d.dir + "/none -target rs1=127.0.0.1:1/epg", "give -dir a directory that exists"},
		{2, "-dir " + d.dir + " -target rs1=127.0.0.1:1", "NAME=HOST:PORT/SERVICE"},
	} {
		code, stdout, stderr := runProgram(t, program("landmark-watch"), strings.Fields(tt.args)...)
		if code != tt.code || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.says) {
			t.Errorf("%s: exit code %d, %q, %q", tt.args, code, stdout, stderr)
		}
	}
	if code, stdout, _ := runProgram(t, program("landmark-watch"), "-version"); code != 0 || stdout != "landmark-watch e2e\n" {
		t.Errorf("-version: exit code %d, %q", code, stdout)
	}
}
