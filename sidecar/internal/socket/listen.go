package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Listener is a Unix stream socket that is this process's alone.
type Listener struct {
	*net.UnixListener
	path string
	lock *os.File
}

// Listen binds the path, making its directory if there is none. Every user may
// connect: which of them may report what is decided by their credentials.
//
// A lock beside the socket, PATH.lock, tells a living landmarkd from one that
// died: the kernel frees it with the process. Under the lock a socket that
// nobody listens on is removed; one that somebody does listen on, and a file
// that is no socket, is left alone and an error.
func Listen(path string) (*Listener, error) {
	if err := makeDirectory(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("making the socket's directory: %w; set XDG_RUNTIME_DIR, or give the socket another path", err)
	}
	lock, err := acquire(path + ".lock")
	if err != nil {
		return nil, err
	}
	l, err := bind(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &Listener{UnixListener: l, path: path, lock: lock}, nil
}

// makeDirectory makes the directory that all users can find the socket in,
// whatever the umask. One that is there already stays as its owner has it.
func makeDirectory(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o755)
}

// acquire takes the lock file, or says that another process has it. The file
// stays when the lock is freed: removing it would let two processes hold two
// files of one name.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the socket's lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another landmarkd is running: it holds %s; stop it, or give this one a socket of its own", path)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}

// bind binds the path, in place of a socket that nobody listens on.
func bind(path string) (*net.UnixListener, error) {
	if err := removeDead(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// removeDead removes a socket at path that nobody listens on.
func removeDead(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is no socket: remove it, or give another path", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return fmt.Errorf("another process is listening on %s: stop it, or give another path", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("another process seems to be listening on %s: %w", path, err)
	}
	return os.Remove(path)
}

// Close stops listening, removes the socket and frees the lock.
func (l *Listener) Close() error {
	return errors.Join(l.UnixListener.Close(), l.lock.Close())
}
