package contract

import (
	"maps"
	"strings"
	"testing"
)

func TestSocketPaths(t *testing.T) {
	type variables map[string]string
	const root, user = 0, 7
	for _, tt := range []struct {
		name                    string
		euid                    int
		environment             variables
		directory, reportSocket string
	}{
		{"systemd, root", root, variables{"RUNTIME_DIRECTORY": "/run/a"}, "/run/a", "/run/landmark/agent.sock"},
		{"systemd, user", user, variables{"RUNTIME_DIRECTORY": "/run/user/7/a", "XDG_RUNTIME_DIR": "/run/user/7"},
			"/run/user/7/a", "/run/user/7/landmark/agent.sock"},
		{"systemd, several", user, variables{"RUNTIME_DIRECTORY": "/run/a:/run/b"}, "/run/a", "/run/landmark/agent.sock"},
		{"root", root, nil, "/run/landmark", "/run/landmark/agent.sock"},
		// sudo may keep the variable of the user who calls it.
		{"root, session", root, variables{"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/landmark", "/run/landmark/agent.sock"},
		{"user", user, variables{"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/landmark", "/run/user/7/landmark/agent.sock"},
		{"user, no session", user, nil, "/run/landmark", "/run/landmark/agent.sock"},
		{"named, root", root, variables{"LANDMARK_SOCKET": "/a.sock", "XDG_RUNTIME_DIR": "/run/user/7"}, "/run/landmark", "/a.sock"},
		{"named, user", user, variables{"LANDMARK_SOCKET": "/a.sock"}, "/run/landmark", "/a.sock"},
	} {
		e := environment{func(name string) string { return tt.environment[name] }, tt.euid}
		if got := e.socketDirectory(); got != tt.directory {
			t.Errorf("%s: socketDirectory() = %s, want %s", tt.name, got, tt.directory)
		}
		if got := e.reportSocket(); got != tt.reportSocket {
			t.Errorf("%s: reportSocket() = %s, want %s", tt.name, got, tt.reportSocket)
		}
		notify := strings.ReplaceAll(tt.reportSocket, "agent.sock", "notify.sock")
		tt.environment = maps.Clone(tt.environment)
		if agents, ok := tt.environment["LANDMARK_SOCKET"]; ok {
			tt.environment["LANDMARK_NOTIFY_SOCKET"] = agents
		}
		if got := e.reportNotifySocket(); got != notify {
			t.Errorf("%s: reportNotifySocket() = %s, want %s", tt.name, got, notify)
		}
	}
}

func TestSocketsAreInTheRuntimeDirectory(t *testing.T) {
	t.Setenv("RUNTIME_DIRECTORY", "/run/epg")
	if got, want := AdminSocket(), "/run/epg/admin.sock"; got != want {
		t.Errorf("AdminSocket() = %s, want %s", got, want)
	}
	if got, want := AgentSocket(), "/run/epg/agent.sock"; got != want {
		t.Errorf("AgentSocket() = %s, want %s", got, want)
	}
}
