package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// checkPath is the path of landmark-check on the director. Only root may write to it, as keepalived's script security
// requires. The link beside it gives ldirectord's landmark-check the name of the service.
const checkPath = "/run/checks/landmark-check"

// installCheck installs landmark-check at checkPath.
func (l *lab) installCheck() error {
	program, err := os.ReadFile(l.program("landmark-check"))
	if err != nil {
		return fmt.Errorf("reading landmark-check: %w", err)
	}
	directory := filepath.Dir(checkPath)
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("making landmark-check's directory: %w", err)
	}
	if err := os.WriteFile(checkPath, program, 0o755); err != nil {
		return fmt.Errorf("installing landmark-check: %w", err)
	}
	if err := os.Symlink(checkPath, filepath.Join(directory, "ldirectord-epg")); err != nil {
		return fmt.Errorf("linking landmark-check for ldirectord: %w", err)
	}
	return nil
}
