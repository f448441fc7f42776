package contract

import (
	"os"
	"path/filepath"
)

// Directory returns the directory of landmarkd's sockets: $RUNTIME_DIRECTORY, as
// systemd sets it, else /run/landmark as root, else $XDG_RUNTIME_DIR/landmark,
// else /run/landmark. It is never below the temporary directory, where any other
// user could make it first.
func Directory() string { return here().directory() }

// AgentSocket returns the default path of the socket on which landmarkd receives
// reports.
func AgentSocket() string { return filepath.Join(Directory(), "agent.sock") }

// AdminSocket returns the default path of the socket on which landmarkd takes
// orders.
func AdminSocket() string { return filepath.Join(Directory(), "admin.sock") }

// ReportTo returns the default path of the socket that an agent reports to:
// $LANDMARK_SOCKET, else /run/landmark/agent.sock as root, else
// $XDG_RUNTIME_DIR/landmark/agent.sock, else /run/landmark/agent.sock. The
// $RUNTIME_DIRECTORY of a program is its own, not landmarkd's.
func ReportTo() string { return here().reportTo() }

// environment is what the paths depend on.
type environment struct {
	get  func(name string) string
	euid int
}

func here() environment { return environment{os.Getenv, os.Geteuid()} }

func (e environment) directory() string {
	if dir := e.get("RUNTIME_DIRECTORY"); dir != "" {
		return filepath.SplitList(dir)[0]
	}
	return e.shared()
}

func (e environment) reportTo() string {
	if path := e.get("LANDMARK_SOCKET"); path != "" {
		return path
	}
	return filepath.Join(e.shared(), "agent.sock")
}

// shared is the directory that a landmarkd and the programs of the same user
// agree on.
func (e environment) shared() string {
	if dir := e.get("XDG_RUNTIME_DIR"); dir != "" && e.euid != 0 {
		return filepath.Join(dir, "landmark")
	}
	return "/run/landmark"
}
