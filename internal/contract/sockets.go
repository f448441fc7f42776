package contract

import (
	"os"
	"path/filepath"
)

// SocketDirectory returns the directory of landmarkd's sockets:
// $RUNTIME_DIRECTORY, which systemd sets, else /run/landmark as root, else
// $XDG_RUNTIME_DIR/landmark, else /run/landmark. It is never below the temporary
// directory, where another user could create it first.
func SocketDirectory() string { return currentEnvironment().socketDirectory() }

// AgentSocket returns the default path of the socket on which landmarkd receives
// reports.
func AgentSocket() string { return filepath.Join(SocketDirectory(), "agent.sock") }

// AdminSocket returns the default path of the socket on which landmarkd receives
// operators' commands.
func AdminSocket() string { return filepath.Join(SocketDirectory(), "admin.sock") }

// NotifySocket returns the default path of the socket on which landmarkd receives
// notifications.
func NotifySocket() string { return filepath.Join(SocketDirectory(), "notify.sock") }

// ReportSocket returns the default path of the socket that an agent reports to:
// $LANDMARK_SOCKET, else /run/landmark/agent.sock as root, else
// $XDG_RUNTIME_DIR/landmark/agent.sock, else /run/landmark/agent.sock. It
// ignores $RUNTIME_DIRECTORY, which in a program is the program's own directory,
// not landmarkd's.
func ReportSocket() string { return currentEnvironment().reportSocket() }

// ReportNotifySocket returns the default path of the socket that a program sends
// notifications to: $LANDMARK_NOTIFY_SOCKET, else notify.sock in the directory where
// ReportSocket looks.
func ReportNotifySocket() string { return currentEnvironment().reportNotifySocket() }

// environment is what the paths depend on.
type environment struct {
	get  func(name string) string
	euid int
}

func currentEnvironment() environment { return environment{os.Getenv, os.Geteuid()} }

func (e environment) socketDirectory() string {
	if dir := e.get("RUNTIME_DIRECTORY"); dir != "" {
		return filepath.SplitList(dir)[0]
	}
	return e.sharedDirectory()
}

func (e environment) reportSocket() string {
	if path := e.get("LANDMARK_SOCKET"); path != "" {
		return path
	}
	return filepath.Join(e.sharedDirectory(), "agent.sock")
}

func (e environment) reportNotifySocket() string {
	if path := e.get("LANDMARK_NOTIFY_SOCKET"); path != "" {
		return path
	}
	return filepath.Join(e.sharedDirectory(), "notify.sock")
}

// sharedDirectory is the directory that landmarkd and the programs of the same
// user both find without configuration.
func (e environment) sharedDirectory() string {
	if dir := e.get("XDG_RUNTIME_DIR"); dir != "" && e.euid != 0 {
		return filepath.Join(dir, "landmark")
	}
	return "/run/landmark"
}
