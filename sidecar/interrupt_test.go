package sidecar

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/nettest"
)

// No client keeps the sidecar from stopping, by a descriptor whose close waits.
func TestLingeringDescriptorDelaysNoStop(t *testing.T) {
	dir := t.TempDir()
	agents, front := filepath.Join(dir, "agent.sock"), filepath.Join(dir, "grpc.sock")
	s, err := New(Config{AgentSocket: agents, GRPC: "unix:" + front})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{agents, front} {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fd := nettest.LingeringSocket(t)
		_, _, err = conn.WriteMsgUnix([]byte("PRI * HTTP/2.0\r\n"), unix.UnixRights(fd), nil)
		unix.Close(fd) // the sidecar's will be the last
		if err != nil {
			t.Fatal(err)
		}
	}
	stop := runSidecar(t, s)
	<-time.After(100 * time.Millisecond) // until they are read
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(nettest.Linger / 2):
		t.Fatal("the sidecar does not stop")
	}
}
