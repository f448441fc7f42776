//go:build e2e

package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// systemd is a real systemd, as the first process of namespaces of its own. It sees
// nothing of the host's units, processes and network, and can write nothing but its
// own directories in memory and dir.
type systemd struct {
	t   *testing.T
	pid int    // on the host
	dir string // shared with the test; /run/test inside
}

// boot runs as the first process, with the arguments CGROUP, DIR and PROGRAMS. The
// host's files are read-only before anything of systemd runs, and its /tmp is hidden:
// the host's own units, some of which clean /tmp, are not even found.
const boot = `
set -eu
echo 0 >"$1/cgroup.procs"
exec unshare --cgroup sh -eu -c '
	mount --make-rprivate /
	mount -t tmpfs tmpfs /run
	mkdir /run/test
	mount --bind "$1" /run/test
	mount --bind "$1/default" /etc/default
	mount --bind "$2" /usr/local/bin
	mount -t proc proc /proc
	mount -o bind,ro /proc/sys /proc/sys
	mount -o remount,bind,ro /sys
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mount -o remount,bind,ro /dev
	mount -o remount,bind,ro /
	mount -t tmpfs tmpfs /tmp
	mount -t tmpfs tmpfs /var/tmp
	ip link set lo up
	cd /
	exec /lib/systemd/systemd --system --unit=boot.target --log-target=null --show-status=no
' sh "$2" "$3"`

// stubs are the units that every unit depends on.
var stubs = map[string]string{
	"boot.target":           "",
	"sysinit.target":        "",
	"basic.target":          "",
	"shutdown.target":       "",
	"network-online.target": "",
	"multi-user.target":     "",
	// The output of each service goes to /run/test/NAME.log.
	"service.d/log.conf": "[Service]\nStandardOutput=append:/run/test/%N.log\nStandardError=append:/run/test/%N.log\n",
}

// cgroups counts the cgroups that bootSystemd has made.
var cgroups atomic.Int64

// bootSystemd boots a systemd, which ends with the test.
func bootSystemd(t *testing.T, units map[string]string) *systemd {
	t.Helper()
	debian(t, "/lib/systemd/systemd", "systemd")
	debian(t, "ip", "iproute2")
	if os.Geteuid() != 0 {
		t.Skip("only root can boot a systemd of its own")
	}
	s := &systemd{t: t, dir: t.TempDir()}
	for _, all := range []map[string]string{stubs, units} {
		for name, text := range all {
			if filepath.Ext(name) == ".target" {
				text = "[Unit]\nDefaultDependencies=no\n"
			}
			s.write(filepath.Join("units", name), text)
		}
	}
	s.write("default/landmarkd", "LANDMARKD_FLAGS=-config /run/test/landmarkd.yaml\n")
	s.write("landmarkd.yaml", "services:\n  epg:\n")

	cgroup := newCgroup(t)
	cmd := exec.Command("/bin/sh", "-c", boot, "sh", cgroup, s.dir, programs)
	cmd.Env = []string{"container=landmark", "PATH=" + os.Getenv("PATH"), "SYSTEMD_UNIT_PATH=/run/test/units"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
		syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS}
	if err := cmd.Start(); errors.Is(err, syscall.EPERM) {
		t.Skip("root may not make namespaces here")
	} else if err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		if t.Failed() {
			s.logFiles()
		}
		cmd.Process.Kill() // and with it all its processes
		<-exited
	})
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		select {
		case <-exited:
			t.Fatalf("systemd did not boot: %s", out.String())
		default:
		}
		state, err := s.run("systemctl", "is-active", "boot.target")
		if err == nil {
			return s
		}
		if time.Since(begun) > testTimeout {
			t.Fatalf("systemd did not boot within %v: %s", testTimeout, state)
		}
	}
}

// newCgroup makes a cgroup below the test's own, and removes it with all that systemd
// has made in it when the test ends.
func newCgroup(t *testing.T) string {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	_, path, found := strings.Cut("\n"+string(own), "\n0::")
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for mount := range strings.Lines(string(mounts)) {
		if f := strings.Fields(mount); found && f[2] == "cgroup2" {
			path, _, _ = strings.Cut(path, "\n")
			dir := filepath.Join(f[1], path, fmt.Sprintf("landmark-e2e-%d-%d", os.Getpid(), cgroups.Add(1)))
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Skipf("systemd needs a cgroup: %v", err)
			}
			t.Cleanup(func() { removeCgroup(t, dir) })
			return dir
		}
	}
	t.Skip("systemd needs a mounted cgroup2")
	return ""
}

// removeCgroup removes the cgroup and those below it, once their processes are gone.
func removeCgroup(t *testing.T, dir string) {
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		var dirs []string
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- { // children first
			os.Remove(dirs[i])
		}
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Since(begun) > testTimeout {
			t.Errorf("the cgroup %s still has processes", dir)
			return
		}
	}
}

// write writes a file of the shared directory.
func (s *systemd) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	write(s.t, path, text)
}

// read returns a file of the shared directory, "" if there is none.
func (s *systemd) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(s.dir, name))
	return string(text)
}

// run runs a command inside, and returns its output.
func (s *systemd) run(command ...string) (string, error) {
	args := append([]string{"-t", strconv.Itoa(s.pid), "-m", "-p", "-n", "-C", "-i", "-u", "--"}, command...)
	out, err := exec.Command("nsenter", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// must runs a command inside, which must succeed.
func (s *systemd) must(command ...string) string {
	s.t.Helper()
	out, err := s.run(command...)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return out
}

// show returns a property of a unit.
func (s *systemd) show(unit, property string) string {
	s.t.Helper()
	return s.must("systemctl", "show", "--value", "--property="+property, unit)
}

// await waits until the property of the unit is accepted, and returns it.
func (s *systemd) await(unit, property string, accept func(string) bool) string {
	s.t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		value := s.show(unit, property)
		if accept(value) {
			return value
		}
		if time.Since(begun) > testTimeout {
			s.t.Fatalf("%s: %s is %q after %v", unit, property, value, testTimeout)
		}
	}
}

// kill sends the signal to the unit's main process.
func (s *systemd) kill(unit, signal string) {
	s.t.Helper()
	s.must("systemctl", "kill", "--kill-who=main", "--signal="+signal, unit)
}

// awaitCheck waits until landmark-check's line about the service begins with want.
func (s *systemd) awaitCheck(service, want string) {
	s.t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		got, _ := s.run("landmark-check", "-service", service)
		if strings.HasPrefix(got, service+": "+want) {
			return
		}
		if time.Since(begun) > testTimeout {
			s.t.Fatalf("got %q after %v, want %q", got, testTimeout, want)
		}
	}
}

func (s *systemd) logFiles() {
	status, _ := s.run("systemctl", "--no-pager", "--full", "status", "*.service")
	s.t.Log(status)
	logs, _ := filepath.Glob(filepath.Join(s.dir, "*.log"))
	for _, path := range logs {
		text := s.read(filepath.Base(path))
		s.t.Logf("%s:\n%s", filepath.Base(path), text[:min(len(text), 8000)])
	}
}

func is(want string) func(string) bool  { return func(got string) bool { return got == want } }
func not(want string) func(string) bool { return func(got string) bool { return got != want } }

// shippedUnit returns the text of a unit of deploy/systemd.
func shippedUnit(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/systemd/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
