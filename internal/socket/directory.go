package socket

import (
	"os"
	"path/filepath"
)

// Directory returns where the sidecar's sockets live: $RUNTIME_DIRECTORY, as
// systemd sets it, else /run/landmark as root, else $XDG_RUNTIME_DIR/landmark.
// A user who has none of these is given /run/landmark too, and the error of
// making it: any other user could make a directory below the temporary one
// first.
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
