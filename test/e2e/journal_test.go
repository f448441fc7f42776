//go:build e2e

package e2e_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A hang is in the journal: after a restart landmark history shows it, apart from what the
// new landmarkd has seen, and landmark replay says the same of it under the same policy, and
// something else under another one.
func TestJournalOverRestart(t *testing.T) {
	parallel(t)
	e := prepareEnv(t)
	dir := filepath.Join(t.TempDir(), "journal")
	e.start("-journal", dir)
	server, _ := e.epg("500ms")
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "SERVING none")
	server.signal(syscall.SIGSTOP)
	e.await(checkUDP, "epg", "NOT_SERVING stale")
	server.signal(syscall.SIGCONT)
	e.await(checkUDP, "epg", "SERVING none")
	if n := e.sidecar.count(`msg="verdict changed" service=epg status=NOT_SERVING cause=stalled reason="main loop last answered`); n != 1 {
		t.Errorf("the log has %d lines of the hang, want 1", n)
	}
	if code := e.sidecar.terminate(); code != 0 {
		t.Errorf("exit code of landmarkd: got %d, want 0", code)
	}
	e.start("-journal", dir)
	e.await(checkUDP, "epg", "SERVING none")

	history := e.historyWith("Since then:")
	before, after, _ := strings.Cut(history, "Since then:\n")
	wantLine(t, before, `.* NOT_SERVING +stalled .* main loop last answered .* ago, allowed 500 ms`)
	wantLine(t, before, ` +failing main loop \(loop, critical\): command sent, last answered .* ago, allowed 500 ms`)
	if strings.Contains(after, "stalled") || !strings.Contains(after, " so far") {
		t.Errorf("what the new landmarkd has seen:\n%s", after)
	}

	same := replayJournal(t, dir)
	wantLine(t, same, `2 runs of landmarkd, .*`)
	row := regexp.MustCompile(`(?m)^epg +2 → 2 +0 +0 +(.+?) → (.+?)  +(.+?) → (.+?)  +0 ms → 0 ms$`).FindStringSubmatch(same)
	if row == nil || row[1] != row[2] || row[3] != row[4] {
		t.Errorf("under the recorded policy:\n%s\nwant the same on both sides", same)
	}
	config := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, config, "services: {epg: {stale_after: 1m, landmarks: {main loop: {within: 1m}}}}\n")
	svg := filepath.Join(t.TempDir(), "replay.svg")
	other := replayJournal(t, dir, "-config", config, "-svg", svg)
	wantLine(t, other, `epg +2 → 0 +2 +0 +.* → .*  +.* → 0 ms +0 ms → 0 ms`)
	wantSVG(t, svg, "epg")
}

// historyWith returns the history of epg once it contains the text: the journal is read
// beside everything else.
func (e *env) historyWith(text string) string {
	e.t.Helper()
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(checkInterval) {
		history, _ := e.landmark(0, "history", "epg")
		if strings.Contains(history, text) {
			return history
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("history of epg:\n%s\nwant text with %q", history, text)
		}
	}
}

// replayJournal runs landmark replay, which must find no mistake in the journal.
func replayJournal(t *testing.T, dir string, args ...string) string {
	t.Helper()
	code, stdout, stderr := runProgram(t, program("landmark"), append([]string{"replay", "-journal", dir}, args...)...)
	if code != 0 || stderr != "" {
		t.Fatalf("landmark replay %q: exit code %d, %s", args, code, stderr)
	}
	return stdout
}

// wantSVG reports an error unless the file is well-formed and has the text.
func wantSVG(t *testing.T, path, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(string(b))); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	if !strings.Contains(string(b), ">"+text+"<") {
		t.Errorf("%s has no text %q", path, text)
	}
}

// A disk that is full or read-only loses the journal, and nothing else.
func TestJournalWithoutDisk(t *testing.T) {
	parallel(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	for name, disk := range map[string]struct{ spoil, repair string }{
		"full":      {"head -c 100000 /dev/zero > fill || true", "rm fill"},
		"read-only": {"mount -o remount,ro .", "mount -o remount,rw ."},
	} {
		t.Run(name, func(t *testing.T) {
			parallel(t)
			e := prepareEnv(t)
			dir := t.TempDir()
			mount := fmt.Sprintf("mount -t tmpfs -o size=64k,mode=700 tmpfs %s && cd %[1]s && %s && cd / &&", dir, disk.spoil)
			flags := append([]string{"-journal", dir}, e.flags()...)
			e.sidecar = start(t, "unshare", append([]string{"-m", "sh", "-c", mount + ` exec "$@"`, "sh", program("landmarkd")}, flags...)...)
			e.sidecar.awaitLine("landmarkd is ready")
			server, _ := e.epg(defaultWithin)
			e.sidecar.awaitLine("the journal cannot be written")
			server.signal(syscall.SIGUSR1)
			e.await(checkUDP, "epg", "NOT_SERVING stalled")
			server.signal(syscall.SIGUSR2)
			e.await(checkUDP, "epg", "SERVING none")
			if n := e.sidecar.count("the journal cannot be written"); n != 1 {
				t.Errorf("the log says %d times that the journal cannot be written, want once", n)
			}
			pid := fmt.Sprint(e.sidecar.cmd.Process.Pid)
			if out, err := exec.Command("nsenter", "-t", pid, "-m", "sh", "-c", "cd "+dir+" && "+disk.repair).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", disk.repair, err, out)
			}
			for n := 0; e.sidecar.count("the journal is written again") == 0; n++ { // with the next line of the journal
				if n > 20 {
					t.Fatal("the journal is not written again")
				}
				server.signal(syscall.SIGUSR1)
				e.await(checkUDP, "epg", "NOT_SERVING stalled")
				server.signal(syscall.SIGUSR2)
				e.await(checkUDP, "epg", "SERVING none")
			}
			if code := e.sidecar.terminate(); code != 0 {
				t.Errorf("exit code of landmarkd: got %d, want 0", code)
			}
		})
	}
}

// The configuration check says whether the journal can be written.
func TestJournalIsChecked(t *testing.T) {
	parallel(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "landmarkd.yaml")
	write(t, config, "")
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.Mkdir(open, 0o777), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	for journal, want := range map[string]string{
		filepath.Join(dir, "journal"): "",
		filepath.Join(dir, "a", "b"):  "give a path whose parent is there",
		config:                        "is not a directory",
		open:                          "its mode is 0777",
		"":                            "-journal is empty",
	} {
		code, stdout, stderr := runProgram(t, program("landmarkd"), "-check-config", "-config", config, "-journal", journal)
		switch {
		case want == "" && (code != 0 || !strings.Contains(stdout, "is valid")):
			t.Errorf("-journal %q: exit code %d, %s%s", journal, code, stdout, stderr)
		case want != "" && (code != 2 || !strings.Contains(stderr, "-journal") || !strings.Contains(stderr, want)):
			t.Errorf("-journal %q: exit code %d, %q; want 2 and %q", journal, code, stderr, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "journal")); !os.IsNotExist(err) {
		t.Errorf("the check has made the journal: %v", err)
	}
}
