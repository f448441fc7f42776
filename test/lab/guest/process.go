package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// logs is where every process's output is kept, in a file of its name.
const logs = "/run/logs"

// process is a program that runs in a namespace of the laboratory until it ends, is killed, or the machine halts.
type process struct {
	name string
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has been reaped
}

// start starts a program in the namespace. Its output is added to the log of the given name. A nil environment is the
// laboratory's own.
func (n namespace) start(name string, environment []string, program string, arguments ...string) (*process, error) {
	return n.startIn("", name, environment, program, arguments...)
}

// startIn does the same and has the program in a cgroup from its beginning; "" is the laboratory's own.
func (n namespace) startIn(g cgroup, name string, environment []string, program string, arguments ...string) (*process, error) {
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, fmt.Errorf("making the log directory: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(logs, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening a log: %w", err)
	}
	defer log.Close() // the child has its own descriptor by then
	p := &process{name: name, cmd: exec.Command(program, arguments...), gone: make(chan struct{})}
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
		p.cmd.Wait() // how a process of ours ended is in its log
		close(p.gone)
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

// kill ends the process at once, as a crash would, and returns when it is gone.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.gone
	return nil
}

// logTails returns the last lines of every process's log, for a reader who wants to know why a run failed.
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
