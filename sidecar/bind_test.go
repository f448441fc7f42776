package sidecar

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The error of an address that cannot be bound names the flag and its value, and
// says what to do.
func TestBindErrorNamesFlagAndRemedy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := "/" + strings.Repeat("a", 107)
	const hostPort = "; write HOST:PORT, such as 127.0.0.1:19533"
	for name, tt := range map[string]struct {
		config Config
		says   []string
	}{
		"monitor":      {Config{Monitor: address}, []string{"-monitor " + address + ": cannot listen on ", "address already in use; stop the program", "choose another address"}},
		"grpc":         {Config{GRPC: address}, []string{"-grpc " + address + ": cannot listen on TCP: address already in use; stop the program"}},
		"http":         {Config{HTTP: address}, []string{"-http " + address + ": cannot listen on TCP: address already in use; stop the program"}},
		"line":         {Config{Line: address}, []string{"-line " + address + ": cannot listen on TCP: address already in use; stop the program"}},
		"not here":     {Config{Line: "192.0.2.1:19536"}, []string{"-line 192.0.2.1:19536: cannot listen on TCP: ", "; choose an address of this host"}},
		"no port":      {Config{GRPC: "127.0.0.1"}, []string{"-grpc 127.0.0.1: ", "missing port in address", hostPort}},
		"bad port":     {Config{Line: ":99999"}, []string{"-line :99999: ", "invalid port", hostPort}},
		"blank":        {Config{Monitor: " "}, []string{"-monitor  : ", hostPort}},
		"agent socket": {Config{AgentSocket: file}, []string{"-agent-socket " + file + ": ", "is not a socket; remove it, or choose another path"}},
		"admin socket": {Config{AdminSocket: file}, []string{"-admin-socket " + file + ": ", "is not a socket; remove it, or choose another path"}},
		"long path":    {Config{AgentSocket: long}, []string{"-agent-socket " + long + ": the path is 108 bytes long; use 107 at most"}},
		"no path":      {Config{GRPC: "unix:"}, []string{"-grpc unix: the path is empty; give the path of a socket"}},
	} {
		s, err := New(tt.config)
		if err == nil {
			s.Close()
			t.Errorf("%s: New succeeded", name)
			continue
		}
		for _, says := range tt.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: the error is %q, want it to contain %q", name, err, says)
			}
		}
	}
}

// Two listeners of landmarkd at one port are an error that names both.
func TestListenersAtOnePortAreRefused(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	for _, tt := range []struct {
		config Config
		want   string
	}{
		{Config{Line: address, HTTP: address}, "-http " + address + ": has the port of landmarkd's own -line " + address + ": choose another port"},
		{Config{Monitor: ":" + port, HTTP: address}, "-http " + address + ": has the port of landmarkd's own -monitor :" + port + ": choose another port"},
		{Config{GRPC: address, Line: ":" + port}, "-grpc " + address + ": has the port of landmarkd's own -line :" + port + ": choose another port"},
	} {
		s, err := New(tt.config)
		if err == nil {
			s.Close()
			t.Errorf("%+v: New succeeded", tt.config)
		} else if err.Error() != tt.want {
			t.Errorf("got  %q\nwant %q", err, tt.want)
		}
	}
}

// Root may write everywhere, so the errors of other users are tested by themselves.
func TestBindErrorOfPermissions(t *testing.T) {
	for _, tt := range []struct {
		flag, address string
		err           error
		want          string
	}{
		{
			"agent-socket", "unix:/run/landmark/agent.sock",
			fmt.Errorf("/run/landmark/agent.sock: cannot open the lock /run/landmark/agent.sock.lock: %w", unix.EACCES),
			"-agent-socket /run/landmark/agent.sock: cannot open the lock /run/landmark/agent.sock.lock: permission denied; " +
				"run as a user who may write to /run/landmark, or choose another path with -agent-socket",
		},
		{
			"line", ":79", &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", unix.EACCES)},
			"-line :79: cannot listen on TCP: permission denied; choose a port that this user may use, such as one above 1023",
		},
	} {
		if got := bindError(tt.flag, tt.address, tt.err).Error(); got != tt.want {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
	}
}
