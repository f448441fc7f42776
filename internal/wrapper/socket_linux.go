package wrapper

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/landmark-health/landmark/internal/sdnotify"
)

// notifySocket is the socket that the program sends its notifications to.
type notifySocket struct {
	dir  string
	path string
	conn *net.UnixConn
}

// openSocket binds a new socket in a directory of its own. Every user can reach it, since
// the program may change its user; [relay.maySpeak] decides.
func openSocket() (s *notifySocket, err error) {
	dir, err := os.MkdirTemp(runtimeDirectory(), "landmark-exec-")
	if err != nil {
		return nil, fmt.Errorf("cannot create a directory for the notify socket: %w", err)
	}
	s = &notifySocket{dir: dir, path: filepath.Join(dir, "notify")}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	if s.conn, err = sdnotify.Listen(s.path); err != nil {
		return nil, fmt.Errorf("cannot bind the notify socket: %w", err)
	}
	return s, os.Chmod(s.path, 0o777)
}

// runtimeDirectory returns where to create the directory. systemd removes
// $RUNTIME_DIRECTORY after the unit, however that ends.
func runtimeDirectory() string {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); dir != "" {
		return filepath.SplitList(dir)[0]
	}
	if os.Getuid() == 0 {
		return "/run"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return dir
	}
	return os.TempDir()
}

// close closes the socket and removes it.
func (s *notifySocket) close() {
	if s.conn != nil {
		s.conn.Close()
	}
	os.RemoveAll(s.dir)
}
