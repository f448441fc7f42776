package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/lmp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFile(t, file, "")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	const one = "-target=a=127.0.0.1:1/"
	for _, tt := range []struct {
		code   int
		args   []string
		stdout string
		stderr string
	}{
		{0, []string{"-dir", dir, one}, "", ""},
		{0, []string{"-version"}, "landmark-watch devel\n", ""},
		{0, []string{"-h"}, "NAME=HOST:PORT/SERVICE[,weight=N]", ""},
		{1, []string{"-dir", dir + "/none", one}, "", "give -dir a directory that exists"},
		{1, []string{"-dir", file, one}, "", "not a directory"},
		{2, []string{"-dir", dir}, "", "-target is missing"},
		{2, []string{"-dir", dir, one, "-key-file", ""}, "", "-key-file"},
		{2, []string{"-dir", dir, "-target", "a"}, "", "NAME=HOST:PORT/SERVICE[,weight=N]"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(stopped, tt.args, &stdout, &stderr); code != tt.code {
			t.Errorf("%q: exit code %d, want %d", tt.args, code, tt.code)
		}
		if !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) || (tt.stderr == "") != (stderr.Len() == 0) {
			t.Errorf("%q wrote %q and %q", tt.args, stdout.String(), stderr.String())
		}
	}
}

// The program does not start if its targets need more open files than it may have.
func TestLowLimitOfOpenFiles(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 45, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	args := []string{"-dir", t.TempDir()}
	for n, want := range map[int]int{14: 0, 15: 1} {
		given := args
		for i := range n {
			given = append(given, fmt.Sprintf("-target=rs%d=127.0.0.1:1/", i))
		}
		var stderr bytes.Buffer
		if code := run(stopped, given, io.Discard, &stderr); code != want || (want == 1) != strings.Contains(stderr.String(), "up to 46 open files, and the limit is 45: raise it") {
			t.Errorf("%d targets: exit code %d, %q", n, code, stderr.String())
		}
	}
	// All addresses of a name may be tried at the same time, and during another lookup.
	var stderr bytes.Buffer
	given := append(args, "-target=a=a.test:1/", "-target=b=b.test:1/", "-target=c=127.0.0.1:1/", "-target=d=127.0.0.1:1/", "-target=e=127.0.0.1:1/", "-target=f=127.0.0.1:1/")
	if code := run(stopped, given, io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), "6 targets take up to 46 open files") {
		t.Errorf("targets by name: exit code %d, %q", code, stderr.String())
	}
}

// A directory can have only one writer at a time.
func TestSecondWriterFails(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"-dir", dir, "-target=a=127.0.0.1:1/"}, io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), "another landmark-watch") {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
	unlock()
	if unlock, err = lock(dir); err != nil {
		t.Fatal(err)
	}
	unlock()
	if entries, err := os.ReadDir(dir); len(entries) > 0 || err != nil {
		t.Errorf("the lock left %v, %v", entries, err)
	}
}

// serve answers one WATCH on a free port with the answers, and returns its address.
func serve(t *testing.T, key *lmp.Key, answers <-chan lmp.Answer) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b := make([]byte, 100)
		n, _ := conn.Read(b)
		q, err := lmp.ParseRequest(b[:n])
		if err != nil || q.Kind != lmp.KindWatch || string(q.Service) != "epg" || key.Verify(b[:n]) != nil {
			t.Errorf("request %+v, %v, %v", q, err, key.Verify(b[:n]))
			return
		}
		for a := range answers {
			a.Kind, a.Nonce = q.Kind, q.Nonce
			conn.Write(lmp.AppendAnswer(nil, &a, lmp.MaxLength, key))
		}
	}()
	return l.Addr().String()
}

// A signed answer changes the file, and systemd is notified.
func TestAnswersChangeFile(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("7:101112131415161718191a1b1c1d1e1f"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := lmp.ReadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	t.Setenv("NOTIFY_SOCKET", notify.LocalAddr().String())

	answers := make(chan lmp.Answer, 1)
	address := serve(t, key[0], answers)
	ctx, stop := context.WithCancel(t.Context())
	var stderr logtest.Buffer
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"-dir", dir, "-key-file", keys, "-target", "rs1=" + address + "/epg,weight=100"}, io.Discard, &stderr)
	}()

	answers <- lmp.Answer{Status: lmp.StatusServing, Weight: 75}
	ready := make([]byte, 100)
	notify.SetReadDeadline(time.Now().Add(30 * time.Second))
	if n, err := notify.Read(ready); string(ready[:n]) != "READY=1" || err != nil {
		t.Errorf("systemd got %q, %v", ready[:n], err)
	}
	becomes(t, filepath.Join(dir, "rs1"), "-25\n")
	answers <- lmp.Answer{Status: lmp.StatusNotServing, Cause: lmp.CauseDraining}
	becomes(t, filepath.Join(dir, "rs1"), "-100\n")
	answers <- lmp.Answer{Status: lmp.StatusNotServing, Cause: lmp.CauseStalled}
	becomes(t, filepath.Join(dir, "rs1"), "-2147483648\n")
	answers <- lmp.Answer{Status: lmp.StatusServing, Weight: 100}
	becomes(t, filepath.Join(dir, "rs1"), "0\n")
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
	becomes(t, filepath.Join(dir, "rs1"), "0\n")
	close(answers)
	for _, line := range []string{"the target is serving", "the target is not serving, draining", "the target is not serving, stalled"} {
		if !strings.Contains(stderr.String(), line) {
			t.Errorf("%q was not logged:\n%s", line, stderr.String())
		}
	}
}

// becomes waits until the file has that content.
func becomes(t *testing.T, path, want string) {
	t.Helper()
	var got []byte
	for over := time.Now().Add(30 * time.Second); time.Now().Before(over); {
		if got, _ = os.ReadFile(path); string(got) == want {
			return
		}
	}
	t.Fatalf("%s says %q, want %q", path, got, want)
}
