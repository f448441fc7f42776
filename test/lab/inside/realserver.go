package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// realServer is a host that runs the EPG server and, beside it, the sidecar.
type realServer struct {
	namespace
	address  string
	programs string // the directory of the programs under test
	epgd     *process
	sidecar  *process
}

// directory is where the server's sockets live.
func (s *realServer) directory() string { return filepath.Join("/run/landmark", string(s.namespace)) }

func (s *realServer) agentSocket() string { return filepath.Join(s.directory(), "agent.sock") }

// program is the path of a program under test.
func (s *realServer) program(name string) string { return filepath.Join(s.programs, name) }

// startSidecar starts landmarkd. It does not wait until it listens.
func (s *realServer) startSidecar() (err error) {
	if err := os.MkdirAll(s.directory(), 0o700); err != nil {
		return fmt.Errorf("making the sidecar's directory: %w", err)
	}
	s.sidecar, err = s.start(string(s.namespace)+"-landmarkd", []string{"RUNTIME_DIRECTORY=" + s.directory()},
		s.program("landmarkd"), "-agent-socket", s.agentSocket(), "-monitor", ":"+lmpPort, "-grpc", "")
	return err
}

// startProgram starts the EPG server. It does not wait until it listens.
func (s *realServer) startProgram() (err error) {
	s.epgd, err = s.start(string(s.namespace)+"-epgd", nil,
		s.program("epgd"), "-listen", fmt.Sprintf("%s:%d", s.address, epgPort),
		"-agent-socket", s.agentSocket(), "-service", "epg", "-instance", string(s.namespace), "-within", "500ms")
	return err
}

// killProgram ends the EPG server as a crash would.
func (s *realServer) killProgram() error { return s.epgd.kill() }

// killSidecar ends landmarkd as a crash would.
func (s *realServer) killSidecar() error { return s.sidecar.kill() }

// wedge makes the EPG server's main loop hang while its process, its port and its agent live on.
func (s *realServer) wedge() error { return s.epgd.signal(syscall.SIGUSR1) }

// free lets a wedged main loop go on.
func (s *realServer) free() error { return s.epgd.signal(syscall.SIGUSR2) }
