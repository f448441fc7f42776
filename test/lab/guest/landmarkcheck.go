package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// checkPath is landmark-check's, where directors run it: on a path that only root may write to, as keepalived's script
// security wants it, with the link beside it that tells ldirectord's landmark-check which service is asked about.
const checkPath = "/run/checks/landmark-check"

// installCheck puts landmark-check there.
func (l *laboratory) installCheck() error {
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
		return fmt.Errorf("naming landmark-check for ldirectord: %w", err)
	}
	return nil
}
