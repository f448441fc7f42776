package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// child is a process that this program has started: a server that landmarkd is compared
// with, or this program in another mode.
type child struct {
	process
	address string // HOST:PORT
	cmd     *exec.Cmd
	// control makes some servers do something: each line once.
	control io.WriteCloser
}

// startChild starts a program and waits until it prints a line: a server its port at
// 127.0.0.1, and what is none an empty one.
func startChild(name string, args ...string) (*child, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	control, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{process: process(cmd.Process.Pid), cmd: cmd, control: control}
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("%s %s ended before it was ready: %w", name, strings.Join(args, " "), err)
	}
	c.address = net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))
	return c, nil
}

func (c *child) stop() {
	c.cmd.Process.Kill()
	c.cmd.Wait() // its error only says that it was killed
}

// startC starts a reference in C.
func (s *suite) startC(name string, args ...string) (*child, error) {
	if s.missingC != "" {
		return nil, missingError(s.missingC)
	}
	return startChild(s.path(name), args...)
}

// startSelf starts this program in another mode, as a process of its own, so that its
// cost can be told from that of the measurement.
func startSelf(mode string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startChild(self, append([]string{mode}, args...)...)
}

// modes are what this program is when a row starts it.
var modes = map[string]func(ctx context.Context, args []string) error{
	workloadMode: runWorkload,
	echoMode:     runEcho,
	healthMode:   runHealth,
	relayMode:    runRelay,
	idleMode:     runIdle,
}

// printPort prints the port of a listener, as startChild expects it.
func printPort(address net.Addr) error {
	_, port, err := net.SplitHostPort(address.String())
	if err == nil {
		_, err = fmt.Println(port)
	}
	return err
}
