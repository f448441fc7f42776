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

// machineLimit is when a machine that has not halted by itself is killed.
const machineLimit = 21 * time.Minute

// memory is what the machine may use. The host gives it page by page.
const memory = 512 << 20

// packages are the Debian packages that the laboratory is made of, each with a file that shows that it is there.
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
	remedy := "the laboratory needs: sudo apt-get install -y --no-install-recommends " + strings.Join(missing, " ")
	if os.Getenv("CI") != "" {
		t.Fatal(remedy)
	}
	t.Skip(remedy)
}

// play builds the programs, boots a machine that plays the scenario, and returns its journal, or why it was not played to
// its end. The console is logged if the test fails for whatever reason. factor lengthens the patience that the machine
// derives from its pace.
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
		// User-mode Linux now and then aborts while it halts. What it had to say was said by then.
		t.Logf("the machine ended with: %v", exit)
	}
	if run.Failure != "" {
		return run, fmt.Errorf("the scenario was not played to its end: %s\nsteps reached: %v", run.Failure, run.Steps)
	}
	return run, nil
}

// build builds what runs in the machine and returns the directory that holds it. Without cgo the programs are static,
// which spares the machine the dynamic linker's page faults, its dearest operation.
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

// boot runs a machine until it halts and returns what its console said, and how it ended unless well. The host's files are
// its root, read-only. It and all its processes are gone when boot returns.
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
	cmd.Stdout = io.MultiWriter(&console, keep(t, scenario))
	cmd.Stderr = cmd.Stdout
	// The machine's processes are processes of the host, in its group. Should the test binary die, the machine is told to
	// end too, which the kernel ties to the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("booting the machine: %v", err)
	}
	// Before its neighbours on the host, if that is allowed: the machine is to be slow only where it must.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, -10)
	err = cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails if nothing is left of it, as it should be
	return console.Bytes(), errors.Join(err, ctx.Err())
}

// keep returns where else a machine's console goes, for who wants to look at a run that passed, or at one as it goes: a file
// of the scenario's name in the directory LANDMARK_LAB_CONSOLES, if that is set.
func keep(t *testing.T, scenario string) io.Writer {
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

// memoryDirectory is where the machine's memory goes, as a file: /dev/shm if that is large enough and programs may be
// mapped from it, for a disk would be written to all the time; else the given directory.
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

// withoutJournal leaves the lines of a console that are for people.
func withoutJournal(console []byte) string {
	var text strings.Builder
	for line := range strings.Lines(string(console)) {
		if !journal.Written(line) {
			text.WriteString(line)
		}
	}
	return text.String()
}
