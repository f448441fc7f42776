package socket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// newPath returns a path for a socket that every user can reach. It is short
// enough for a socket, unlike some paths of t.TempDir.
func newPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "landmark")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "agent.sock")
}

func mustListen(t *testing.T, path string) *Listener {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// refuse checks that Listen(path) fails with an error that has the words.
func refuse(t *testing.T, path string, words ...string) {
	t.Helper()
	l, err := Listen(path)
	if err == nil {
		l.Close()
		t.Fatalf("Listen(%s) succeeded", path)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error is %q, want it to contain %q", err, word)
		}
	}
}

// answers checks that a process listens on path.
func answers(t *testing.T, path string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("no process listens on %s: %v", path, err)
	}
	conn.Close()
}

// leaveDead leaves a socket at path that no process listens on.
func leaveDead(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestListenCreatesItsDirectory(t *testing.T) {
	path := filepath.Join(filepath.Dir(newPath(t)), "a", "b", "agent.sock")
	mustListen(t, path)
	answers(t, path)
	for of, want := range map[string]fs.FileMode{
		path:               fs.ModeSocket | 0o666,
		path + ".lock":     0o600,
		filepath.Dir(path): fs.ModeDir | 0o755,
	} {
		info, err := os.Lstat(of)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", of, info.Mode(), want)
		}
	}
}

func TestListenBelowAFileFails(t *testing.T) {
	file := newPath(t)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuse(t, filepath.Join(file, "agent.sock"), "directory", file)
}

// Paths that bind(2) does not use as a file are rejected before anything is
// created.
func TestListenRejectsUnusablePaths(t *testing.T) {
	t.Chdir(t.TempDir())
	refuse(t, "", "the path is empty", "give the path of a socket")
	refuse(t, "@agent", "begins with @", "give the path of a socket")
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("it created %v, %v", files, err)
	}
}

func TestDeadSocketIsReplaced(t *testing.T) {
	path := newPath(t)
	leaveDead(t, path)
	mustListen(t, path)
	answers(t, path)
}

// A landmarkd that was killed leaves its socket and its lock file. The next one
// replaces them.
func TestSocketOfAKilledProcessIsReplaced(t *testing.T) {
	path := newPath(t)
	p := start(t, "listen", path, nil)
	p.begin()
	if said := p.says(); said != "listening" {
		t.Fatal(said)
	}
	refuse(t, path, "another landmarkd is running", path+".lock")
	p.kill()
	for _, left := range []string{path, path + ".lock"} {
		if _, err := os.Lstat(left); err != nil {
			t.Fatalf("the killed process left no file: %v", err)
		}
	}
	mustListen(t, path)
	answers(t, path)
}

func TestSocketInUseIsLeftAlone(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	refuse(t, path, "another landmarkd is running", path+".lock")
	answers(t, path)

	// The lock still counts when the socket was removed, because its owner binds it
	// again.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refuse(t, path, "another landmarkd is running")
	l.Close()
	mustListen(t, path)
}

// Another program that listens without a lock keeps its socket, and the failed
// Listen releases the lock.
func TestForeignListenerIsLeftAlone(t *testing.T) {
	for _, network := range []string{"unix", "unixpacket"} {
		path := newPath(t)
		foreign, err := net.Listen(network, path)
		if err != nil {
			t.Fatal(err)
		}
		refuse(t, path, "another process", path)
		if conn, err := net.Dial(network, path); err != nil {
			t.Errorf("%s: the foreign listener is gone: %v", network, err)
		} else {
			conn.Close()
		}
		foreign.Close()
		mustListen(t, path)
	}
}

// A foreign listener whose accept queue is full is in use all the same.
func TestBusyListenerIsLeftAlone(t *testing.T) {
	path := newPath(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	waiting, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	refuse(t, path, "another process", path)
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

func TestOtherFileIsLeftAlone(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"file":      func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		// Following it would remove, or bind, what it points to.
		"symlink": func(path string) error { return os.Symlink(path+".target", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			refuse(t, path, path, "not a socket")
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) {
				t.Errorf("the file was replaced: %v", err)
			}
			os.Remove(path)
			mustListen(t, path) // the lock was released
		})
	}
}

// The lock does not follow a symbolic link. Otherwise any user who can write to the
// directory could make landmarkd create or lock a file elsewhere.
func TestLockDoesNotFollowALink(t *testing.T) {
	path := newPath(t)
	target := path + ".target"
	if err := os.Symlink(target, path+".lock"); err != nil {
		t.Fatal(err)
	}
	refuse(t, path, "lock", path)
	for _, made := range []string{target, path} {
		if _, err := os.Lstat(made); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was created", made)
		}
	}
}

func TestTooLongPathFails(t *testing.T) {
	dir := filepath.Dir(newPath(t))
	fits := filepath.Join(dir, strings.Repeat("a", maxPath-len(dir)-1))
	mustListen(t, fits)
	refuse(t, fits+"a", fits+"a", "108 bytes long", "use 107 at most")
}

func TestCloseRemovesTheSocket(t *testing.T) {
	path := newPath(t)
	l := mustListen(t, path)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v, want net.ErrClosed", err)
	}
	mustListen(t, path)
	l.Close()
	answers(t, path) // the first one must not remove the socket of the second
}

// Several landmarkds start together over a stale socket: exactly one binds it.
func TestOnlyOneOfManyListens(t *testing.T) {
	const rounds, contenders = 4, 4
	for range rounds {
		path := newPath(t)
		leaveDead(t, path)
		var all []*process
		for range contenders {
			all = append(all, start(t, "listen", path, nil))
		}
		for _, p := range all {
			p.begin()
		}
		won := 0
		for _, p := range all {
			switch said := p.says(); {
			case said == "listening":
				won++
			case !strings.Contains(said, "another landmarkd is running"):
				t.Error(said)
			}
		}
		if won != 1 {
			t.Errorf("%d of %d listen, want 1", won, contenders)
		}
		answers(t, path)
		for _, p := range all {
			p.kill()
		}
	}
}
