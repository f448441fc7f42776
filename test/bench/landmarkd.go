package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// build builds landmarkd as it is released, and returns its path and what
// removes it.
func build(ctx context.Context) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "landmark-bench")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	path = filepath.Join(dir, "landmarkd")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/landmark-health/landmark/cmd/landmarkd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("building landmarkd: %w\n%s", err, out)
	}
	return path, remove, nil
}

// landmarkd is one that runs, with listeners of its own.
type landmarkd struct {
	agents string // the path of its agent socket
	grpc   string // HOST:PORT
	cmd    *exec.Cmd
	dir    string
}

// start starts the program at path, and returns when it is ready.
func start(path string) (*landmarkd, error) {
	dir, err := os.MkdirTemp("", "landmark-bench")
	if err != nil {
		return nil, err
	}
	d := &landmarkd{dir: dir, agents: filepath.Join(dir, "agent.sock")}
	if d.grpc, err = freeAddress(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	d.cmd = exec.Command(path, "-agent-socket", d.agents, "-monitor", "127.0.0.1:0", "-grpc", d.grpc)
	log, err := d.cmd.StderrPipe()
	if err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "landmarkd is ready") {
			go func() { // lest it stop at a full pipe
				for lines.Scan() {
				}
			}()
			return d, nil
		}
	}
	d.stop()
	return nil, errors.New("landmarkd ended before it was ready")
}

// stop ends the process and removes what it left.
func (d *landmarkd) stop() {
	d.cmd.Process.Signal(unix.SIGTERM)
	d.cmd.Wait() // how it ends is not what is measured
	os.RemoveAll(d.dir)
}

// freeAddress returns a loopback address on which nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// cpu returns the processor time that the process has used so far, all its
// threads together, those that have ended too. It reads the process's CPU
// clock, whose number clock_getcpuclockid(3) makes of the pid.
func (d *landmarkd) cpu() (time.Duration, error) {
	const scheduler = 2 // CPUCLOCK_SCHED: what the scheduler counts, in nanoseconds
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^d.cmd.Process.Pid<<3|scheduler), &t); err != nil {
		return 0, fmt.Errorf("reading landmarkd's CPU clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// rss returns how much of the process lies in memory, in bytes (proc(5), statm).
func (d *landmarkd) rss() (int, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", d.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm is %q", statm)
	}
	pages, err := strconv.Atoi(fields[1])
	return pages * os.Getpagesize(), err
}
