package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/test/freeport"
)

// landmarkd is a running landmarkd, with its metrics and its page, and with what it
// remembers of checkers.
type landmarkd struct {
	process
	agentSocket string // path
	grpcAddress string // HOST:PORT
	// monitorAddress is that of the monitoring protocol, over UDP and TCP.
	monitorAddress string
	httpAddress    string   // HOST:PORT
	key            *lmp.Key // of its checkers, nil = none
	environment    []string // beside that of this process
	cmd            *exec.Cmd
	dir            string
}

// startLandmarkd starts landmarkd with a configuration in YAML and further arguments, and
// returns when it is ready.
func (s *suite) startLandmarkd(config string, args ...string) (*landmarkd, error) {
	d, err := newLandmarkd(config)
	if err != nil {
		return nil, err
	}
	return d, d.start(s.landmarkd, args...)
}

// newLandmarkd returns a landmarkd that is not started yet.
func newLandmarkd(config string) (*landmarkd, error) {
	dir, err := os.MkdirTemp("", "landmark-bench")
	if err != nil {
		return nil, err
	}
	d := &landmarkd{dir: dir, agentSocket: filepath.Join(dir, "agent.sock")}
	for _, address := range []*string{&d.grpcAddress, &d.monitorAddress, &d.httpAddress} {
		if *address, err = freeport.Address(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	if err := os.WriteFile(d.config(), []byte(config), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, nil
}

func (d *landmarkd) config() string { return filepath.Join(d.dir, "landmarkd.yaml") }

// start starts the landmarkd in the file and returns when it is ready. When it fails, the
// directory is removed.
func (d *landmarkd) start(file string, args ...string) error {
	d.cmd = exec.Command(file, append([]string{"-agent-socket", d.agentSocket, "-monitor", d.monitorAddress,
		"-grpc", d.grpcAddress, "-http", d.httpAddress, "-config", d.config()}, args...)...)
	d.cmd.Env = append(os.Environ(), d.environment...)
	d.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	log, err := d.cmd.StderrPipe()
	if err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(d.dir))
	}
	d.process = process(d.cmd.Process.Pid)
	var said []string
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if said = append(said, lines.Text()); strings.Contains(lines.Text(), "landmarkd is ready") {
			go io.Copy(io.Discard, log) // so that landmarkd does not block on a full pipe
			return nil
		}
	}
	d.stop()
	return fmt.Errorf("landmarkd ended before it was ready: %s", strings.Join(said, "; "))
}

// stop ends the process and removes its directory.
func (d *landmarkd) stop() {
	d.cmd.Process.Signal(unix.SIGTERM)
	d.cmd.Wait() // the exit code does not matter
	os.RemoveAll(d.dir)
}
