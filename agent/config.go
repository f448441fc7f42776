package agent

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/contract"
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
		c.Socket = contract.ReportTo()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, field := range []struct {
		name string
		err  error
	}{
		{"Service", contract.CheckServiceName(c.Service)},
		{"Instance", contract.CheckInstanceName(c.Instance)},
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
