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

// lines receives the lines of a log.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// mustRestore restores the listener's socket, which must be gone.
func mustRestore(t *testing.T, l *Listener) {
	t.Helper()
	if again, err := l.restore(); err != nil || !again {
		t.Fatalf("the socket was made again: %v, %v", again, err)
	}
}

func TestRemovedSocketIsMadeAgain(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	go serve(l)
	if again, err := l.restore(); again || err != nil {
		t.Errorf("a socket that is there was made again: %v, %v", again, err)
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

// What stands in the place of a removed socket is left alone, also when the
// listener is closed.
func TestOtherFileInThePlaceOfASocketIsLeftAlone(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	os.Remove(path)
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := l.restore(); again || err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("the socket was made again: %v, %v", again, err)
	}
	os.Remove(path)
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go serve(other)
	if again, err := l.restore(); again || err == nil || !strings.Contains(err.Error(), "another process is listening") {
		t.Errorf("beside another process the socket was made again: %v, %v", again, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	answers(t, path)
}

func TestDeadSocketInThePlaceOfARemovedOneIsReplaced(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	go serve(l)
	os.Remove(path)
	leaveDead(t, path)
	mustRestore(t, l)
	answers(t, path)
}

func TestKeepNoticesARemovedSocket(t *testing.T) {
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
		if !strings.Contains(line, "was gone and has been made again") {
			t.Error(line)
		}
	case <-time.After(time.Minute):
		t.Fatal("the socket was not made again")
	}
	answers(t, path)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	l.Close()
	if again, err := l.restore(); again || err != nil {
		t.Errorf("a closed listener's socket was made again: %v, %v", again, err)
	}
}

// The mode of the socket is what it is to be when it appears, and is not changed
// by its path, where something else could be by then.
func TestModeOfTheSocketIsNotChangedByPath(t *testing.T) {
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
