package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// cgroup is the directory of a group of processes and all their children.
type cgroup string

const cgroups = "/run/cgroup"

func mountCgroups() error {
	if err := os.MkdirAll(cgroups, 0o755); err != nil {
		return err
	}
	if output, err := exec.Command("mount", "-t", "cgroup2", "none", cgroups).CombinedOutput(); err != nil {
		return fmt.Errorf("mounting cgroups: %w: %s", err, output)
	}
	return nil
}

func newCgroup(name string) (cgroup, error) {
	g := cgroup(filepath.Join(cgroups, name))
	return g, os.Mkdir(string(g), 0o755)
}

// kill kills all processes in the group.
func (g cgroup) kill() error {
	if err := os.WriteFile(filepath.Join(string(g), "cgroup.kill"), []byte("1"), 0o644); err != nil {
		return fmt.Errorf("killing all processes of a cgroup: %w", err)
	}
	return nil
}

// usage returns the processor time of all processes that are or were in the group.
func (g cgroup) usage() (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(string(g), "cpu.stat"))
	if err != nil {
		return 0, err
	}
	var microseconds int64
	if _, err := fmt.Sscanf(string(text), "usage_usec %d", &microseconds); err != nil {
		return 0, fmt.Errorf("reading %q: %w", text, err)
	}
	return time.Duration(microseconds) * time.Microsecond, nil
}
