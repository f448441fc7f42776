package agent

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/landmark-health/landmark/agent/landmark"
)

// Config says what an agent reports, and to whom.
type Config struct {
	// Service is the name under which checkers ask: a letter or digit, then at
	// most 89 letters, digits, dots, underscores and hyphens. It may not be,
	// or end in a hyphen and, "liveness", "readiness" or "startup". Required.
	Service string

	// Instance tells the processes of one service apart: 1 to 128 bytes of
	// printable ASCII. A process that starts with the name of another takes
	// its place. Empty means a name that no other process has, and that stays
	// the same for the life of this one.
	Instance string

	// Landmarks is what is reported. Required.
	Landmarks *landmark.Set

	// Socket is the path of the sidecar's agent.sock. Empty means
	// $LANDMARK_SOCKET, else /run/landmark/agent.sock as root, else
	// $XDG_RUNTIME_DIR/landmark/agent.sock, else /run/landmark/agent.sock.
	Socket string

	// Logger gets a record at each change of the connection's state. A handler
	// that blocks delays no report: 64 records wait for it, and the number of
	// those dropped beyond is an attribute of a later one. Nil means silence.
	Logger *slog.Logger
}

// The rules of landmark.report.v1's Hello.
var (
	serviceName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,89}$`)
	reservedName = regexp.MustCompile(`^(.*-)?(liveness|readiness|startup)$`)
	instanceName = regexp.MustCompile(`^[ -~]{1,128}$`)
)

// maxSocket is the longest path that a Unix socket's address can hold, in
// bytes (unix(7)).
const maxSocket = 107

// complete returns c with its defaults filled in, or an error that names the
// field to mend.
func (c Config) complete() (Config, error) {
	if c.Instance == "" {
		c.Instance = processName()
	}
	if c.Socket == "" {
		c.Socket = defaultSocket(os.Getenv, os.Geteuid())
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, field := range []struct {
		name string
		err  error
	}{
		{"Service", checkService(c.Service)},
		{"Instance", checkInstance(c.Instance)},
		{"Landmarks", checkLandmarks(c.Landmarks)},
		{"Socket", checkSocket(c.Socket)},
	} {
		if field.err != nil {
			return c, fmt.Errorf("%s: %w", field.name, field.err)
		}
	}
	return c, nil
}

// processName returns the default instance name, as 4711-K7QXA2MB. The process
// number is for people. It is not unique: processes in different PID namespaces
// that share a sidecar, and even a host name, may all be number 1.
var processName = sync.OnceValue(func() string {
	return strconv.Itoa(os.Getpid()) + "-" + rand.Text()[:8]
})

func checkService(name string) error {
	switch {
	case !serviceName.MatchString(name):
		return fmt.Errorf("%.100q is not a letter or digit and then at most 89 of A-Z a-z 0-9 . _ -", name)
	case reservedName.MatchString(name):
		return fmt.Errorf("%q is, or ends in - and, one of liveness, readiness and startup, "+
			"which are kept for checkers; choose another", name)
	}
	return nil
}

func checkInstance(name string) error {
	if !instanceName.MatchString(name) {
		return fmt.Errorf("%.140q is not 1 to 128 bytes of printable ASCII", name)
	}
	return nil
}

func checkLandmarks(marks *landmark.Set) error {
	if marks == nil {
		return errors.New("missing; declare the program's landmarks in a landmark.Set")
	}
	return marks.Err()
}

func checkSocket(path string) error {
	switch {
	case len(path) > maxSocket:
		return fmt.Errorf("the path %q is longer than the %d bytes of a Unix socket's address", path, maxSocket)
	case strings.ContainsRune(path, 0):
		return fmt.Errorf("the path %q holds a zero byte", path)
	}
	return nil
}

// defaultSocket returns where the sidecar's socket is expected.
func defaultSocket(getenv func(string) string, euid int) string {
	const system = "/run/landmark/agent.sock"
	if path := getenv("LANDMARK_SOCKET"); path != "" {
		return path
	}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" && euid != 0 {
		return filepath.Join(dir, "landmark", "agent.sock")
	}
	return system
}
