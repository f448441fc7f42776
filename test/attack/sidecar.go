package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/test/freeport"
)

// sidecar is the landmarkd under attack, in a runtime directory and on ports of
// its own.
type sidecar struct {
	*process
	path    string
	dir     string
	flags   []string
	monitor string
	grpc    string
	line    string
	http    string
	stderr  *os.File // nil = its standard error is read
	files   int      // how many files it may open; 0 = as many as this process
	peak    int      // the largest resident size so far, in bytes
	starts  int      // how often it was started
	logged  int      // log lines of the processes that have ended
}

// newSidecar returns a landmarkd that has not been started.
func newSidecar(programs, dir string, flags ...string) (*sidecar, error) {
	d := &sidecar{path: filepath.Join(programs, "landmarkd"), dir: dir}
	for _, address := range []*string{&d.monitor, &d.grpc, &d.line, &d.http} {
		var err error
		if *address, err = freeport.Address(); err != nil {
			return nil, err
		}
	}
	d.flags = append([]string{"-agent-socket", d.agents(), "-admin-socket", d.admin(),
		"-monitor", d.monitor, "-grpc", d.grpc, "-line", d.line, "-http", d.http}, flags...)
	return d, nil
}

func (d *sidecar) agents() string { return filepath.Join(d.dir, "agent.sock") }
func (d *sidecar) admin() string  { return filepath.Join(d.dir, "admin.sock") }

// start starts landmarkd, and returns once its ports are open. It does not wait for
// a log line, because the log may have no reader.
func (d *sidecar) start() error {
	cmd := exec.Command(d.path, d.flags...)
	if d.files > 0 {
		cmd = exec.Command("/bin/sh", append([]string{"-c",
			fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, d.files), d.path}, d.flags...)...)
	}
	cmd.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+d.dir)
	output := d.stderr == nil
	if !output {
		cmd.Stderr = d.stderr
	}
	var err error
	if d.process, err = start(cmd, output); err != nil {
		return err
	}
	d.starts++
	if !await(timeout, func() bool { return d.accepts() || !d.alive() }) || !d.alive() {
		lines, _ := d.written()
		return fmt.Errorf("landmarkd did not start: %s", strings.Join(lines, "; "))
	}
	return nil
}

func (d *sidecar) accepts() bool {
	for _, address := range []string{d.monitor, d.grpc, d.http} {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		conn.Close()
	}
	return true
}

// end kills landmarkd, and records its memory and its log lines.
func (d *sidecar) end() {
	if d.process == nil {
		return
	}
	d.measure()
	d.signal(syscall.SIGCONT)
	d.kill()
	_, n := d.written()
	d.logged += n
	d.process = nil
}

// restart kills landmarkd and starts it again.
func (d *sidecar) restart() error {
	d.end()
	return d.start()
}

// measure reads the largest resident size of the process (proc(5), VmHWM).
func (d *sidecar) measure() {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.pid()))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		if size, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(size), " kB"))
			d.peak = max(d.peak, kB*1024)
		}
	}
}
