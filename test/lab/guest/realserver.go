package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// realServer is a host that runs the EPG server and, beside it, the sidecar.
type realServer struct {
	namespace
	address  string
	programs string // the directory of the programs under test
	within   time.Duration
	epgd     *process
	sidecar  *process
}

// dir returns the directory of the server's sockets.
func (s *realServer) dir() string { return filepath.Join("/run/landmark", string(s.namespace)) }

func (s *realServer) agentSocket() string { return filepath.Join(s.dir(), "agent.sock") }

// configuration returns the path of landmarkd's configuration file.
func (s *realServer) configuration() string {
	return filepath.Join("/run", string(s.namespace)+"-landmarkd.yaml")
}

// configure writes landmarkd's configuration file: the slow start, a gate, and BFD sessions, which may be "".
func (s *realServer) configure(sessions string) error {
	text := fmt.Sprintf("services:\n  epg:\n    slow_start: %s\n    gate: \":%s\"\n", journal.SlowStart, gatePort)
	if err := os.WriteFile(s.configuration(), []byte(text+sessions), 0o644); err != nil {
		return fmt.Errorf("writing landmarkd's configuration: %w", err)
	}
	return nil
}

// program returns the path of a program under test.
func (s *realServer) program(name string) string { return filepath.Join(s.programs, name) }

// startSidecar starts landmarkd. It does not wait until it listens.
func (s *realServer) startSidecar() (err error) {
	if err := os.MkdirAll(s.dir(), 0o700); err != nil {
		return fmt.Errorf("making the sidecar's directory: %w", err)
	}
	s.sidecar, err = s.start(string(s.namespace)+"-landmarkd", []string{"RUNTIME_DIRECTORY=" + s.dir()},
		s.program("landmarkd"), "-config", s.configuration(), "-agent-socket", s.agentSocket(),
		"-monitor", ":"+lmpPort, "-line", ":"+linePort, "-grpc", "", "-http", "")
	return err
}

// startProgram starts the EPG server, which also serves at the virtual addresses. It does not wait until the server listens.
func (s *realServer) startProgram() (err error) {
	s.epgd, err = s.start(string(s.namespace)+"-epgd", nil,
		s.program("epgd"), "-listen", fmt.Sprintf("0.0.0.0:%d", epgPort),
		"-agent-socket", s.agentSocket(), "-service", "epg", "-instance", string(s.namespace), "-within", s.within.String())
	return err
}

// killProgram kills the EPG server, like a crash.
func (s *realServer) killProgram() error { return s.epgd.kill() }

// killSidecar kills landmarkd, like a crash.
func (s *realServer) killSidecar() error { return s.sidecar.kill() }

// freeze stops the EPG server's whole process.
func (s *realServer) freeze() error { return s.epgd.signal(syscall.SIGSTOP) }

// thaw continues a frozen process.
func (s *realServer) thaw() error { return s.epgd.signal(syscall.SIGCONT) }

// drain drains the service, as an operator does.
func (s *realServer) drain() error { return s.operate("drain") }

// resume resumes the service, as an operator does.
func (s *realServer) resume() error { return s.operate("resume") }

// operate runs an operator's command for the service and waits until it ends.
func (s *realServer) operate(command string) error {
	p, err := s.start(string(s.namespace)+"-operator", nil, s.program("landmark"),
		command, "-admin-socket", filepath.Join(s.dir(), "admin.sock"), "epg")
	if err != nil {
		return err
	}
	<-p.exited
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("landmark %s: %v", command, p.cmd.ProcessState)
	}
	return nil
}

// hang makes the EPG server's main loop hang. Its process, its port and its agent go on.
func (s *realServer) hang() error { return s.epgd.signal(syscall.SIGUSR1) }

// free continues a hung main loop.
func (s *realServer) free() error { return s.epgd.signal(syscall.SIGUSR2) }
