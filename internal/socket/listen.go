package socket

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nonblock"
)

// maxPath is the longest path of a Unix socket, in bytes (unix(7)).
const maxPath = 107

// place is a Unix socket that this process alone has at its path.
type place struct {
	path string
	kind kind

	mu      sync.Mutex
	current *bound // guarded by mu
}

// kind is a kind of Unix socket.
type kind struct {
	network string // of package net
	listen  func(address *net.UnixAddr) (endpoint, error)
}

// endpoint is the open socket: a *net.UnixListener or a *net.UnixConn.
type endpoint interface {
	io.Closer
	SetDeadline(time.Time) error
}

// bound is a socket that is bound to the path.
type bound struct {
	endpoint
	file fs.FileInfo // of the path
	lock *os.File
}

// Listener is a Unix stream socket that this process alone listens on.
type Listener struct{ place }

// Datagrams is a Unix datagram socket that this process alone receives from.
type Datagrams struct{ place }

var stream = kind{"unix", func(address *net.UnixAddr) (endpoint, error) {
	l, err := net.ListenUnix("unix", address)
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // another file may have the path by then
	return l, nil
}}

// Listen binds the path, and creates its directory if there is none. Every user
// may connect: the peer's credentials decide what each may report.
//
// A lock file beside the socket, PATH.lock, distinguishes a running landmarkd from one that
// was killed, because the kernel releases the lock with the process. Under the
// lock, Listen replaces a socket that no process listens on. It returns an error if
// a process listens on the socket, or if the path is not a socket. Every error
// begins with the path, unless it is empty.
func Listen(path string) (*Listener, error) {
	l := &Listener{place{path: path, kind: stream}}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

// ListenDatagrams is Listen for datagrams. The socket is bound by listen, which sets
// its options.
func ListenDatagrams(path string, listen func(path string) (*net.UnixConn, error)) (*Datagrams, error) {
	d := &Datagrams{place{path: path, kind: kind{"unixgram", func(address *net.UnixAddr) (endpoint, error) { return listen(address.Name) }}}}
	if err := d.open(); err != nil {
		return nil, err
	}
	return d, nil
}

// open binds the path for the first time.
func (p *place) open() error {
	b, err := p.kind.bind(p.path, nil)
	switch {
	case err != nil && p.path == "":
		return err
	case err != nil:
		return fmt.Errorf("%s: %w", p.path, err)
	}
	p.current = b
	return nil
}

// bind binds the path. It reuses the lock of before, if before is not nil and its
// lock file is still in place.
func (k kind) bind(path string, before *bound) (*bound, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if err := makeDirectory(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("cannot create the directory: %w", err)
	}
	if before != nil && isAt(path+".lock", before.lock) {
		return k.bindUnder(path, before.lock)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	b, err := k.bindUnder(path, lock)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return b, nil
}

// checkPath rejects paths that bind(2) cannot use, or does not use as a file.
func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("the path is empty; give the path of a socket")
	case path[0] == '@':
		return errors.New("a path that begins with @ is not a file; give the path of a socket")
	case len(path) > maxPath:
		return fmt.Errorf("the path is %d bytes long; use %d at most", len(path), maxPath)
	}
	return nil
}

// isAt reports whether the path still names the open file.
func isAt(path string, file *os.File) bool {
	there, err := os.Lstat(path)
	if err != nil {
		return false
	}
	own, err := file.Stat()
	return err == nil && os.SameFile(there, own)
}

// umask is held while the umask of this process is changed.
var umask sync.Mutex

// makeDirectory creates the directory so that all users can reach the socket in
// it, whatever the umask. It does not change an existing directory.
func makeDirectory(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	umask.Lock()
	defer umask.Unlock()
	defer unix.Umask(unix.Umask(0o022))
	return os.MkdirAll(path, 0o755)
}

// Lock locks the lock file at path for this process, until it is closed or the
// process ends. It returns an error if another process holds the lock.
func Lock(path string) (io.Closer, error) { return lockFile(path) }

// lockFile opens and locks the file. The file is never removed: otherwise two
// processes could hold locks on two files of the same name.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock %s: %w", path, errors.Unwrap(err))
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another landmarkd is running: it holds the lock %s; stop it, or choose another path", path)
		}
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	return f, nil
}

// bindUnder binds the path under the lock, and replaces a socket that no process
// listens on. The socket has its mode from the start: a later chmod could change
// another file that has taken its path.
func (k kind) bindUnder(path string, lock *os.File) (*bound, error) {
	if err := k.removeStale(path); err != nil {
		return nil, err
	}
	umask.Lock()
	before := unix.Umask(0o111) // bind(2) creates the socket with mode 0777 less the umask
	l, err := k.listen(&net.UnixAddr{Name: path, Net: k.network})
	unix.Umask(before)
	umask.Unlock()
	if err != nil {
		return nil, err
	}
	file, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, err
	}
	return &bound{endpoint: l, file: file, lock: lock}, nil
}

// atPath reports whether the path still names the socket. It compares the time
// too: file systems give the inode number of a removed file to the next one.
func (b *bound) atPath(path string) bool {
	file, err := os.Lstat(path)
	return err == nil && os.SameFile(file, b.file) && file.ModTime().Equal(b.file.ModTime())
}

// removeStale removes the socket at path if no process listens on it.
func (k kind) removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("the file exists and is not a socket; remove it, or choose another path")
	}
	conn, err := net.DialTimeout(k.network, path, time.Second)
	if err == nil {
		conn.Close()
		return errors.New("another process is listening on the socket; stop it, or choose another path")
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("another process seems to be listening on the socket: %w", err)
	}
	return os.Remove(path)
}

// Accept accepts a connection from the socket that is bound now.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		b := l.bound()
		conn, err := b.endpoint.(*net.UnixListener).AcceptUnix()
		switch {
		case err == nil:
			return nonblock.NewConn(conn), nil
		case l.bound() == b:
			return nil, err
		}
	}
}

// SetDeadline sets the deadline of Accept. KeepBound may reset it.
func (l *Listener) SetDeadline(t time.Time) error { return l.bound().SetDeadline(t) }

// Addr returns the address of the socket.
func (l *Listener) Addr() net.Addr { return l.bound().endpoint.(*net.UnixListener).Addr() }

// Conn returns the socket that is bound now. It is closed when KeepBound replaces it.
func (d *Datagrams) Conn() *net.UnixConn { return d.bound().endpoint.(*net.UnixConn) }

func (p *place) bound() *bound {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// Close closes the socket, removes it if it is still at the path, and releases the
// lock.
func (p *place) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.current.endpoint.Close(); err != nil {
		return err // it was closed before
	}
	var err error
	if p.current.atPath(p.path) {
		err = os.Remove(p.path)
	}
	return errors.Join(err, p.current.lock.Close())
}
