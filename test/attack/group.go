package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// group is the directory of a control group with a quota of processor time.
type group string

// newGroup creates a group with the given percentage of one processor, in cgroups
// of version 1 or 2.
func newGroup(percent int) (group, error) {
	const period = 100_000 // µs
	quota := strconv.Itoa(period * percent / 100)
	name := fmt.Sprint("landmark-attack-", os.Getpid())
	v1, v2 := filepath.Join("/sys/fs/cgroup/cpu", name), filepath.Join("/sys/fs/cgroup", name)
	if err := os.Mkdir(v1, 0o755); err == nil {
		return group(v1), os.WriteFile(filepath.Join(v1, "cpu.cfs_quota_us"), []byte(quota), 0o644)
	}
	if err := os.Mkdir(v2, 0o755); err != nil {
		return "", err
	}
	err := os.WriteFile(filepath.Join(v2, "cpu.max"), fmt.Appendf(nil, "%s %d", quota, period), 0o644)
	if err != nil {
		err = errors.Join(err, os.Remove(v2))
	}
	return group(v2), err
}

// add moves a process into the group.
func (g group) add(pid int) error {
	return os.WriteFile(filepath.Join(string(g), "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
}

func (g group) remove() { os.Remove(string(g)) }
