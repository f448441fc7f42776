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

	"github.com/landmark-health/landmark/internal/sleep"
	"golang.org/x/sys/unix"
)

// buildLandmarkd builds landmarkd as it is released. It returns the path of the binary
// and a function that removes it.
func buildLandmarkd(ctx context.Context) (path string, remove func(), err error) {
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

// landmarkd is a running landmarkd.
type landmarkd struct {
	agentSocket string // path
	grpcAddress string // HOST:PORT
	// monitorAddress is that of the monitoring protocol, over UDP and TCP.
	monitorAddress string
	httpAddress    string // HOST:PORT
	cmd            *exec.Cmd
	dir            string
}

// startLandmarkd starts the landmarkd at path with a configuration in YAML, and returns
// when it is ready.
func startLandmarkd(path, config string) (*landmarkd, error) {
	dir, err := os.MkdirTemp("", "landmark-bench")
	if err != nil {
		return nil, err
	}
	d := &landmarkd{dir: dir, agentSocket: filepath.Join(dir, "agent.sock")}
	for _, address := range []*string{&d.grpcAddress, &d.monitorAddress, &d.httpAddress} {
		if *address, err = freeAddress(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	file := filepath.Join(dir, "landmarkd.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	d.cmd = exec.Command(path, "-agent-socket", d.agentSocket, "-monitor", d.monitorAddress, "-grpc", d.grpcAddress, "-http", d.httpAddress, "-config", file)
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
			go func() { // read on, so that landmarkd does not block on a full pipe
				for lines.Scan() {
				}
			}()
			return d, nil
		}
	}
	d.stop()
	return nil, errors.New("landmarkd ended before it was ready")
}

// stop ends the process and removes its directory.
func (d *landmarkd) stop() {
	d.cmd.Process.Signal(unix.SIGTERM)
	d.cmd.Wait() // the exit code does not matter
	os.RemoveAll(d.dir)
}

// freeAddress returns a loopback address without a listener.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// cpuTime returns the CPU time that the process has used so far, of all its threads,
// including those that have ended. It reads the CPU clock of the process, whose number
// is computed from the pid as in clock_getcpuclockid(3).
func (d *landmarkd) cpuTime() (time.Duration, error) {
	const scheduler = 2 // CPUCLOCK_SCHED: the scheduler's count in nanoseconds
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^d.cmd.Process.Pid<<3|scheduler), &t); err != nil {
		return 0, fmt.Errorf("reading landmarkd's CPU clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// cpuPercent returns the CPU time of landmarkd over the given duration, in percent of
// one core.
func (d *landmarkd) cpuPercent(ctx context.Context, duration time.Duration) (float64, error) {
	before, err := d.cpuTime()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if !sleep.For(ctx, duration) {
		return 0, ctx.Err()
	}
	after, err := d.cpuTime()
	return 100 * float64(after-before) / float64(time.Since(start)), err
}

// rss returns the resident memory of the process in bytes (proc(5), statm).
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
