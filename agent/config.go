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

// A Config says what an agent reports, and where to.
type Config struct {
	// Service is the name by which checkers ask for the program: a letter or digit,
	// then at most 89 letters, digits, dots, underscores and hyphens. It must not be
	// "liveness", "readiness" or "startup", or end in a hyphen and one of them.
	// Required.
	Service string

	// Instance distinguishes the processes of one service: 1 to 128 bytes of
	// printable ASCII. A process that starts with the instance name of another one
	// replaces it. Empty means a unique name, which stays the same for the life of
	// the process.
	Instance string

	// Landmarks is what the agent reports. Required.
	Landmarks *landmark.Set

	// Socket is the path of landmarkd's agent.sock. Empty means
	// $LANDMARK_SOCKET, else /run/landmark/agent.sock as root, else
	// $XDG_RUNTIME_DIR/landmark/agent.sock, else /run/landmark/agent.sock.
	Socket string

	// ServiceManager makes the agent also report to the service manager that started
	// the program, such as systemd, as sd_notify(3) describes: READY=1 once every
	// landmark that counts for readiness was reached; WATCHDOG=1, at half of
	// $WATCHDOG_USEC, only while no critical landmark fails and one of them is an Alive
	// or a Loop; the reason otherwise, as STATUS; and STOPPING=1 at Close, after which
	// the process must end. So systemd's WatchdogSec= restarts a program whose main
	// loop hangs, and spares one that is idle. It needs no landmarkd, and does nothing if
	// no service manager set $NOTIFY_SOCKET. One agent of a process may have it.
	ServiceManager bool

	// NoStacks keeps the program's stacks to itself. Otherwise, when an Alive, a Deadline
	// or a Loop begins to fail, the agent captures the stacks of all goroutines, the
	// landmark's first, at most once in 10 s, and sends up to 64 KiB of them to
	// landmarkd. It shows them to those who may drain the service, and over HTTP on
	// loopback or with authentication. They have functions, lines, and the labels of
	// runtime/pprof, but no arguments. The program is stopped meanwhile, usually for
	// less than 50 µs.
	NoStacks bool

	// Logger receives a record when the connection's state changes: where the agent
	// reports, why it is not connected, or why landmarkd refuses the program. Set
	// it, for instance to slog.Default(): nil discards the records, and then a
	// refused program leaves no trace. A handler that blocks does not delay reports:
	// 64 records wait for it, and the next record has the number of those that were
	// dropped as the attribute "dropped".
	Logger *slog.Logger
}

// maxSocketPath is the maximum length of a Unix socket's path, in bytes (unix(7)).
const maxSocketPath = 107

// complete returns c with its defaults filled in, or an error that names the wrong
// field.
func (c Config) complete() (Config, error) {
	if c.Instance == "" {
		c.Instance = processName()
	}
	if c.Socket == "" {
		c.Socket = contract.ReportSocket()
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

// processName returns the default instance name, such as 4711-K7QXA2MB. The
// process number is for people. It is not unique: processes in different PID
// namespaces that share a sidecar, and even a host name, may all have number 1.
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
	case len(path) > maxSocketPath:
		return fmt.Errorf("the path %q is longer than %d bytes, the maximum for a Unix socket; use a shorter one", path, maxSocketPath)
	case strings.ContainsRune(path, 0):
		return fmt.Errorf("the path %q contains a zero byte; remove it", path)
	}
	return nil
}

// An identity is how a sidecar identifies an agent. Of two agents with the same
// identity, the sidecar only counts the newer one, so one process must not have
// two.
type identity struct{ socket, service, instance string }

// identities holds the identities of this process's agents.
var identities = struct {
	sync.Mutex
	taken map[identity]bool
}{taken: make(map[identity]bool)}

// acquire reserves the identity for an agent, unless another agent uses it.
func (id identity) acquire() error {
	identities.Lock()
	defer identities.Unlock()
	if identities.taken[id] {
		return fmt.Errorf("this process reports %s as %q already; "+
			"put all its landmarks into one set, or give each agent its own instance name", id.service, id.instance)
	}
	identities.taken[id] = true
	return nil
}

// release makes the identity available again.
func (id identity) release() {
	identities.Lock()
	defer identities.Unlock()
	delete(identities.taken, id)
}
