package socket

import (
	"os"
	"path/filepath"
)

// Directory returns where the sidecar's sockets live: $RUNTIME_DIRECTORY, as
// systemd sets it, else /run/landmark as root, else $XDG_RUNTIME_DIR/landmark,
// else a directory of the user's own below the temporary one.
func Directory() string {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); dir != "" {
		return filepath.SplitList(dir)[0]
	}
	if os.Geteuid() == 0 {
		return "/run/landmark"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "landmark")
	}
	return "/run/landmark"
}
