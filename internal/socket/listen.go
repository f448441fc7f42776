package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Listener is a Unix stream socket that is this process's alone.
type Listener struct {
	path string

	mu      sync.Mutex
	current *bound // guarded by mu
}

// bound is a socket that was bound to the path.
type bound struct {
	*net.UnixListener
	file fs.FileInfo // of the path
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
	b, err := listen(path, nil)
	if err != nil {
		return nil, err
	}
	return &Listener{path: path, current: b}, nil
}

// listen binds the path, under the lock that before has if it is still the
// path's.
func listen(path string, before *bound) (*bound, error) {
	if err := makeDirectory(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("making the socket's directory: %w; set XDG_RUNTIME_DIR, or give the socket another path", err)
	}
	if before != nil && isAt(path+".lock", before.lock) {
		return bind(path, before.lock)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	b, err := bind(path, lock)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return b, nil
}

// isAt reports whether the path is that of the open file.
func isAt(path string, file *os.File) bool {
	there, err := os.Lstat(path)
	if err != nil {
		return false
	}
	own, err := file.Stat()
	return err == nil && os.SameFile(there, own)
}

// makeDirectory makes the directory that all users can find the socket in,
// whatever the umask. One that is there already stays as its owner has it.
func makeDirectory(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	umask.Lock()
	defer umask.Unlock()
	defer unix.Umask(unix.Umask(0o022))
	return os.MkdirAll(path, 0o755)
}

// lockFile takes the lock file, or says that another process has it. The file
// stays when the lock is freed: removing it would let two processes hold two
// files of one name.
func lockFile(path string) (*os.File, error) {
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

// umask is held while the process's is another.
var umask sync.Mutex

// bind binds the path, in place of a socket that nobody listens on. Every user
// may connect from the beginning: to change the mode afterwards would be to
// change that of whatever is at the path by then.
func bind(path string, lock *os.File) (*bound, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	umask.Lock()
	before := unix.Umask(0o111) // of what bind(2) makes, which is 0777
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(before)
	umask.Unlock()
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // another file may be there by then
	file, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, err
	}
	return &bound{UnixListener: l, file: file, lock: lock}, nil
}

// atPath reports whether the path is the socket's still. File systems give the
// number of a removed file to the next one, but not its time.
func (b *bound) atPath(path string) bool {
	file, err := os.Lstat(path)
	return err == nil && os.SameFile(file, b.file) && file.ModTime().Equal(b.file.ModTime())
}

// removeStale removes a socket at path that nobody listens on.
func removeStale(path string) error {
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

// Accept accepts a connection from the socket that is at the path now.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		b := l.currentBound()
		conn, err := b.Accept()
		if err == nil || l.currentBound() == b {
			return conn, err
		}
	}
}

func (l *Listener) currentBound() *bound {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Addr returns the address that is listened on.
func (l *Listener) Addr() net.Addr { return l.currentBound().Addr() }

// Close stops listening, removes the socket if it is still there, and frees the
// lock.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.current.UnixListener.Close(); err != nil {
		return err // it was closed before
	}
	var err error
	if l.current.atPath(l.path) {
		err = os.Remove(l.path)
	}
	return errors.Join(err, l.current.lock.Close())
}
