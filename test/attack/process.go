package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// keptLines is how many lines of a process are kept. Further lines are only counted.
const keptLines = 1000

// process is a program that an attack started.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process was waited for

	mu    sync.Mutex
	lines []string // the first lines of its output; guarded by mu
	count int      // of all lines; guarded by mu
}

// start starts the command. If output is set, standard error is read into lines;
// otherwise it is the command's.
func start(cmd *exec.Cmd, output bool) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	var stderr io.Reader = strings.NewReader("")
	if output {
		pipe, err := cmd.StderrPipe()
		if err != nil {
			return nil, err
		}
		stderr = pipe
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.read(stderr)
		cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) read(r io.Reader) {
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadString('\n')
		if line != "" {
			p.mu.Lock()
			if p.count++; len(p.lines) < keptLines {
				p.lines = append(p.lines, strings.TrimSuffix(line, "\n"))
			}
			p.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// written returns the kept lines, and the number of all lines.
func (p *process) written() ([]string, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...), p.count
}

// wrote reports whether the process has written a line with the text.
func (p *process) wrote(text string) bool {
	lines, _ := p.written()
	for _, line := range lines {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// alive reports whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func (p *process) signal(s os.Signal) { p.cmd.Process.Signal(s) }

// kill kills the process, stopped or not, and waits until it has exited.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// await polls until the condition holds, and returns false after the timeout.
func await(timeout time.Duration, condition func() bool) bool {
	for deadline := time.Now().Add(timeout); ; time.Sleep(10 * time.Millisecond) {
		if condition() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
