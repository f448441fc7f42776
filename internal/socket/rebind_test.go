package socket

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// serve accepts connections until the listener is closed.
func serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.Close()
	}
}

// lines is a log whose lines are sent to the channel.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// mustRestore calls restore, which must bind the socket again.
func mustRestore(t *testing.T, l *Listener) {
	t.Helper()
	if restored, err := l.restore(); err != nil || !restored {
		t.Fatalf("restore: %v, %v", restored, err)
	}
}

func TestRestoreBindsARemovedSocket(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	go serve(l)
	if restored, err := l.restore(); restored || err != nil {
		t.Errorf("restore of a socket that is there: %v, %v", restored, err)
	}
	for name, remove := range map[string]func() error{
		"socket":          func() error { return os.Remove(path) },
		"socket and lock": func() error { os.Remove(path + ".lock"); return os.Remove(path) },
		"directory":       func() error { return os.RemoveAll(filepath.Dir(path)) },
		"renamed":         func() error { return os.Rename(path, path+".old") },
	} {
		if err := remove(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		mustRestore(t, l)
		answers(t, path)
		refuse(t, path, "another landmarkd is running")
	}
}

// Another file or socket at the path of a removed socket is left alone, by restore
// and by Close.
func TestRestoreLeavesOtherFilesAlone(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	os.Remove(path)
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if restored, err := l.restore(); restored || err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("restore over another file: %v, %v", restored, err)
	}
	os.Remove(path)
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go serve(other)
	if restored, err := l.restore(); restored || err == nil || !strings.Contains(err.Error(), "another process is listening") {
		t.Errorf("restore over another listener: %v, %v", restored, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	answers(t, path)
}

func TestRestoreReplacesADeadSocket(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	go serve(l)
	os.Remove(path)
	leaveDead(t, path)
	mustRestore(t, l)
	answers(t, path)
}

func TestKeepBoundRestoresARemovedSocket(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	go serve(l)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	lines := make(lines, 1)
	go func() { done <- l.KeepBound(ctx, slog.New(slog.NewTextHandler(lines, nil))) }()
	os.Remove(path)
	select {
	case line := <-lines:
		if !strings.Contains(line, "was removed and has been created again") {
			t.Error(line)
		}
	case <-time.After(time.Minute):
		t.Fatal("the socket was not created again")
	}
	answers(t, path)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	l.Close()
	if restored, err := l.restore(); restored || err != nil {
		t.Errorf("restore of a closed listener: %v, %v", restored, err)
	}
}

// The socket has its final mode when it appears. A later chmod by path could
// change another file.
func TestSocketIsCreatedWithItsMode(t *testing.T) {
	path := newPath(t)
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	if _, err := unix.InotifyAddWatch(watch, filepath.Dir(path), unix.IN_ATTRIB|unix.IN_CREATE); err != nil {
		t.Fatal(err)
	}
	before := unix.Umask(0o077)
	mustListen(t, path)
	if after := unix.Umask(before); after != 0o077 {
		t.Errorf("the umask was left at %o", after)
	}
	buffer := make([]byte, 4096)
	n, err := unix.Read(watch, buffer)
	if err != nil {
		t.Fatal(err)
	}
	for b := buffer[:n]; len(b) > 0; {
		event := (*unix.InotifyEvent)(unsafe.Pointer(&b[0]))
		name, _, _ := strings.Cut(string(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+event.Len]), "\x00")
		if event.Mask&unix.IN_ATTRIB != 0 && name == filepath.Base(path) {
			t.Error("the mode of the socket was changed after it appeared")
		}
		b = b[unix.SizeofInotifyEvent+event.Len:]
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket has mode %v, %v", info.Mode(), err)
	}
}
