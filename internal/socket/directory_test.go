package socket

import (
	"os"
	"syscall"
	"testing"
)

func TestDirectory(t *testing.T) {
	var user *syscall.Credential // of a user who is not root
	if os.Geteuid() == 0 {
		user = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	for _, tt := range []struct {
		name        string
		root        bool
		environment []string
		want        string
	}{
		{"systemd, root", true, []string{"RUNTIME_DIRECTORY=/run/a"}, "/run/a"},
		{"systemd, user", false, []string{"RUNTIME_DIRECTORY=/run/user/7/a", "XDG_RUNTIME_DIR=/run/user/7"}, "/run/user/7/a"},
		{"systemd, several", false, []string{"RUNTIME_DIRECTORY=/run/a:/run/b"}, "/run/a"},
		{"root", true, []string{"RUNTIME_DIRECTORY="}, "/run/landmark"},
		// sudo may keep the variable of the user who calls it.
		{"root, session", true, []string{"XDG_RUNTIME_DIR=/run/user/7"}, "/run/landmark"},
		{"user", false, []string{"XDG_RUNTIME_DIR=/run/user/7"}, "/run/user/7/landmark"},
		{"user, no session", false, nil, "/run/landmark"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			as := user
			if tt.root {
				if os.Geteuid() != 0 {
					t.Skip("needs root")
				}
				as = nil
			}
			p := start(t, "directory", "", as, tt.environment...)
			p.begin()
			if got := p.says(); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
