//go:build lab

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// machineLimit is the time after which a machine that has not halted is killed.
const machineLimit = 21 * time.Minute

// memory is how much memory the machine may use. The host provides it page by page.
const memory = 512 << 20

// packages are the Debian packages that the laboratory needs, each with a file that shows that it is installed.
var packages = []struct{ name, file string }{
	{"user-mode-linux", "/usr/bin/linux.uml"},
	{"kmod", "/sbin/modprobe"},
	{"iproute2", "/sbin/ip"},
	{"ipvsadm", "/sbin/ipvsadm"},
	{"keepalived", "/usr/sbin/keepalived"},
	{"ldirectord", "/usr/sbin/ldirectord"},
	{"haproxy", "/usr/sbin/haproxy"},
}

// requirePackages skips the test, or under CI fails it, if a Debian package is missing.
func requirePackages(t *testing.T) {
	t.Helper()
	var missing []string
	for _, p := range packages {
		if _, err := os.Stat(p.file); err != nil {
			missing = append(missing, p.name)
		}
	}
	if len(missing) == 0 {
		return
	}
	remedy := "packages are missing: sudo apt-get install -y --no-install-recommends " + strings.Join(missing, " ")
	if os.Getenv("CI") != "" {
		t.Fatal(remedy)
	}
	t.Skip(remedy)
}

// play builds the programs, boots a machine that plays the scenario, and returns its journal, or an error if the scenario
// did not end. The console is logged if the test fails. factor multiplies the timeouts that the machine derives from its
// speed.
func play(t *testing.T, scenario string, factor int) (journal.Run, error) {
	t.Helper()
	requirePackages(t)
	programs := build(t)
	console, exit := boot(t, scenario, factor, programs)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the machine's console:\n%s", withoutJournal(console))
		}
	})
	run, err := journal.Read(bytes.NewReader(console))
	switch {
	case err != nil:
		return run, fmt.Errorf("%w; the machine ended with: %v", err, exit)
	case exit != nil:
		// User-mode Linux sometimes aborts while it halts. The journal is complete by then.
		t.Logf("the machine ended with: %v", exit)
	}
	if run.Failure != "" {
		return run, fmt.Errorf("the scenario failed: %s\nsteps reached: %v", run.Failure, run.Steps)
	}
	return run, nil
}

// build builds the programs that run in the machine and returns their directory. Without cgo the programs are static,
// which saves the page faults of the dynamic linker: they are the most expensive operation in the machine.
func build(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", directory, "./guest",
		"../../cmd/...", "../../examples/epgd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the programs under test: %v\n%s", err, output)
	}
	return directory
}

// boot runs a machine until it halts. It returns the text of its console, and an error if the machine did not end well.
// The machine's root is the host's file system, read-only. When boot returns, the machine and all its processes have
// ended.
func boot(t *testing.T, scenario string, factor int, programs string) ([]byte, error) {
	t.Helper()
	init, err := filepath.Abs("init.sh")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), machineLimit)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	directory := t.TempDir()
	cmd := exec.CommandContext(ctx, "linux.uml",
		"mem=512M", "quiet", "panic=-1", "uml_dir="+directory,
		"rootfstype=hostfs", "rootflags=/", "ro", "init="+init,
		"con=null", "con0=null,fd:1",
		"LAB_SCENARIO="+scenario, fmt.Sprint("LAB_FACTOR=", factor), "LAB_PROGRAMS="+programs, "LAB_REPEATS="+os.Getenv("LANDMARK_LAB_REPEATS"), "LAB_CROWD="+os.Getenv("LANDMARK_LAB_CROWD"))
	cmd.Env = append(os.Environ(), "TMPDIR="+memoryDirectory(directory))
	var console bytes.Buffer
	cmd.Stdout = io.MultiWriter(&console, consoleFile(t, scenario))
	cmd.Stderr = cmd.Stdout
	// The machine's processes are processes of the host, in the machine's process group. If the test binary dies, the
	// kernel signals the machine; Pdeathsig is bound to the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("booting the machine: %v", err)
	}
	// Raise its priority on the host, if that is allowed.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, -10)
	err = cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // normally fails, because no process is left
	return console.Bytes(), errors.Join(err, ctx.Err())
}

// consoleFile returns a file for the machine's console: of the scenario's name, in the directory LANDMARK_LAB_CONSOLES. If
// that is not set, the output is discarded. With it, a run can be followed, and its console read after it passed.
func consoleFile(t *testing.T, scenario string) io.Writer {
	t.Helper()
	directory := os.Getenv("LANDMARK_LAB_CONSOLES")
	if directory == "" {
		return io.Discard
	}
	file, err := os.Create(filepath.Join(directory, scenario))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// memoryDirectory returns the directory of the file that is the machine's memory: /dev/shm if that is large enough and
// allows programs to be mapped, because a disk would be written to all the time; otherwise the given directory.
func memoryDirectory(otherwise string) string {
	const shm = "/dev/shm"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shm, &fs); err != nil {
		return otherwise
	}
	const noexec = 0x8 // ST_NOEXEC of statvfs(3)
	if fs.Flags&noexec != 0 || fs.Bavail*uint64(fs.Bsize) < memory {
		return otherwise
	}
	return shm
}

// withoutJournal returns the lines of a console that are not the journal's.
func withoutJournal(console []byte) string {
	var text strings.Builder
	for line := range strings.Lines(string(console)) {
		if !journal.IsLine(line) {
			text.WriteString(line)
		}
	}
	return text.String()
}
