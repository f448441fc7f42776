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

// out is the content of a track file whose server keepalived takes out.
const out = "-2147483648"

// in is for wants: the server is in at some weight, and then at its whole weight.
const in = "in"

var weight = regexp.MustCompile("^(0|-[0-9]{1,2})$")

// fileWrite is one write of a track file.
type fileWrite struct {
	content string
	at      time.Time
}

// director is a landmark-watch, and all that keepalived sees of its directory.
type director struct {
	*process
	t      *testing.T
	dir    string
	args   []string // besides -dir
	writes chan fileWrite
}

// newDirector starts a landmark-watch with the arguments in an empty directory.
func newDirector(t *testing.T, args ...string) *director {
	t.Helper()
	d := &director{t: t, dir: t.TempDir(), args: args, writes: make(chan fileWrite, 1000)}
	// The events of keepalived 2.2.7.
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
	d.restart()
	return d
}

// restart starts the landmark-watch, again if it ran before.
func (d *director) restart() {
	d.process = start(d.t, program("landmark-watch"), append([]string{"-dir", d.dir}, d.args...)...)
}

// read records the writes of each file that keepalived reads.
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
				d.writes <- fileWrite{d.content(name), now}
			}
		}
	}
}

// content returns the current content of a track file.
func (d *director) content(name string) string {
	b, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(string(b), "\n")
}

// next waits for the next write of a file.
func (d *director) next(after string) fileWrite {
	d.t.Helper()
	select {
	case w := <-d.writes:
		return w
	case <-time.After(testTimeout):
		d.t.Fatalf("after %s: got no write of the file within %v, want one; its content is %q", after, testTimeout, d.content("rs1"))
		panic("not reached")
	}
}

// wants waits for the next write of a file, and asserts its content. With
// strictTimes it also asserts that the write was within the bound after the event.
func (d *director) wants(content, after string, event time.Time, bound time.Duration) {
	d.t.Helper()
	w := d.next(after)
	took := w.at.Sub(event)
	d.t.Logf("%-28s %12s after %v", after, w.content, took.Round(10*time.Microsecond))
	if w.content != content && !(content == in && weight.MatchString(w.content)) {
		d.t.Errorf("track file after %s: got %q, want %q", after, w.content, content)
	}
	assertWithin(d.t, took, bound, "%s to %q", after, w.content)
	for content == in && w.content != "0" {
		w = d.next(after) // a program that was late gets its whole weight a little later
	}
}

// assertUnchanged asserts that no file was written.
func (d *director) assertUnchanged(after string) {
	d.t.Helper()
	select {
	case w := <-d.writes:
		d.t.Errorf("track file after %s: got a write of %q, want none", after, w.content)
	default:
	}
}

// A track file follows the state of a program and of its sidecar, in time for
// keepalived.
func TestTrackFileFollowsVerdict(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	started := time.Now()
	d := newDirector(t, "-target", "rs1="+e.monitor+"/epg,weight=100")
	// The first write may wait for the sidecar's start grace.
	d.wants(out, "start, with no service", started, 2*time.Second)
	d.awaitLine("landmark-watch is ready")
	server, _ := e.epg(defaultWithin)
	d.wants(in, "start of the program", time.Now(), time.Second)

	d.wants(out, "hang", server.signal(syscall.SIGUSR1), 650*time.Millisecond)
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

	// A server whose sidecar is stopped or gone is out, too.
	d.wants(out, "SIGSTOP of the sidecar", e.sidecar.signal(syscall.SIGSTOP), 3500*time.Millisecond)
	d.wants(in, "SIGCONT of the sidecar", e.sidecar.signal(syscall.SIGCONT), 3*time.Second)
	d.wants(out, "SIGKILL of the sidecar", e.sidecar.kill(), 3500*time.Millisecond)
	d.awaitLine("the target is silent")
	begun = time.Now()
	e.start()
	d.wants(in, "start of the sidecar", begun, 3*time.Second)
	d.assertUnchanged("the last event")
	if code := d.terminate(); code != 0 {
		t.Errorf("exit code of landmark-watch: got %d, want 0", code)
	}
}

// A restart of the sidecar or of landmark-watch writes no file, whether the server
// is in or out.
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
			time.Sleep(1500 * time.Millisecond) // the keep-alive interval is 1 s
			d.assertUnchanged("a restart of the sidecar")
		}
		for _, end := range []func(){func() { d.kill() }, func() { d.terminate() }} {
			end()
			d.restart()
			d.awaitLine("landmark-watch is ready")
			d.assertUnchanged("a restart of landmark-watch")
		}
		d.signal(syscall.SIGSTOP)
		time.Sleep(5 * time.Second)
		d.signal(syscall.SIGCONT)
		time.Sleep(1500 * time.Millisecond)
		d.assertUnchanged("a pause of landmark-watch")
	}
	restarts()
	server.signal(syscall.SIGUSR1)
	d.wants(out, "hang", time.Now(), time.Second)
	restarts()

	// Without landmark-watch the file stays. It is written when landmark-watch is back.
	d.terminate()
	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "SERVING none")
	d.assertUnchanged("a change without landmark-watch")
	begun := time.Now()
	d.restart()
	d.wants(in, "start of landmark-watch", begun, time.Second)

	// A landmark-watch that starts without a sidecar takes the server out.
	e.sidecar.terminate()
	d.terminate()
	begun = time.Now()
	d.restart()
	d.wants(out, "start without a sidecar", begun, 3500*time.Millisecond)
}

// If landmarkd has keys, landmark-watch needs one of them.
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
	if w := right.next("start"); w.content == out {
		right.next("report of the program") // after the start grace
	}
	if got := right.content("rs1"); got != "0" {
		t.Errorf("track file with the key: got %q, want 0", got)
	}
	wrong.wants(out, "start with a wrong key", begun, 3500*time.Millisecond)
	none.wants(out, "start without a key", begun, 3500*time.Millisecond)
	wrong.awaitLine("closed the connection without an answer")
}

// landmark-watch does not start with invalid arguments, or with a directory that
// another one uses, and says why in one line.
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
			t.Errorf("%s: got exit code %d, %q, %q, want %d and one line with %q", tt.args, code, stdout, stderr, tt.code, tt.says)
		}
	}
	if code, stdout, _ := runProgram(t, program("landmark-watch"), "-version"); code != 0 || stdout != "landmark-watch e2e\n" {
		t.Errorf("-version: got exit code %d, %q, want 0 and landmark-watch e2e", code, stdout)
	}
}
