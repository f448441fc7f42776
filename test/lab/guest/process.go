package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// logs is the directory of the processes' output, a file each.
const logs = "/run/logs"

// process is a program that runs in a namespace.
type process struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has been reaped
}

// start starts a program in the namespace. Its output is appended to the log of the given name. A nil environment is that of
// this process.
func (n namespace) start(name string, environment []string, program string, arguments ...string) (*process, error) {
	return n.startIn("", name, environment, program, arguments...)
}

// startIn does the same in a cgroup; "" is that of this process.
func (n namespace) startIn(g cgroup, name string, environment []string, program string, arguments ...string) (*process, error) {
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, fmt.Errorf("making the log directory: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(logs, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	defer log.Close() // the child has its own descriptor by then
	p := &process{name: name, cmd: exec.Command(program, arguments...), exited: make(chan struct{})}
	p.cmd.Env = environment
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if g != "" {
		directory, err := os.Open(string(g))
		if err != nil {
			return nil, fmt.Errorf("opening a cgroup: %w", err)
		}
		defer directory.Close()
		p.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}
	}
	if err := n.enter(p.cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.cmd.Wait() // the error is in the process's log
		close(p.exited)
	}()
	return p, nil
}

// signal sends the process a signal.
func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("sending %v to %s: %w", s, p.name, err)
	}
	return nil
}

// kill kills the process, like a crash, and waits until it has exited.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// logTails returns the last lines of every process's log.
func logTails() string {
	const lines = 40
	paths, _ := filepath.Glob(filepath.Join(logs, "*")) // the pattern is well-formed
	var tails bytes.Buffer
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			text = []byte(err.Error())
		}
		all := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
		fmt.Fprintf(&tails, "--- %s\n", filepath.Base(path))
		for _, line := range all[max(0, len(all)-lines):] {
			fmt.Fprintf(&tails, "%s\n", line)
		}
	}
	return tails.String()
}
