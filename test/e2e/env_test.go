//go:build e2e

package e2e_test

import (
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
)

// house is a sidecar and where it can be reached.
type env struct {
	t       *testing.T
	socket  string
	monitor string
	grpc    string
	line    string
	sidecar *process
}

// newHouse starts landmarkd on addresses of its own, with further flags if any.
func newEnv(t *testing.T, flags ...string) *env {
	t.Helper()
	e := &env{
		t:       t,
		socket:  filepath.Join(t.TempDir(), "agent.sock"),
		monitor: freeAddress(t),
		grpc:    freeAddress(t),
		line:    freeAddress(t),
	}
	e.start(flags...)
	return e
}

// start starts landmarkd, again if it ran before, with further flags if any.
func (e *env) start(flags ...string) {
	e.t.Helper()
	e.sidecar = start(e.t, program("landmarkd"),
		append(flags, "-agent-socket", e.socket, "-monitor", e.monitor, "-grpc", e.grpc, "-line", e.line)...)
	e.sidecar.awaitLine("landmarkd is ready")
}

// epg starts an EPG server that reports to the house, and waits until it
// serves.
func (e *env) epg(within string) (server *process, address string) {
	e.t.Helper()
	address = freeAddress(e.t)
	server = start(e.t, program("epgd"), "-listen", address, "-agent-socket", e.socket, "-within", within)
	e.await(checkUDP, "epg", "SERVING none")
	return server, address
}

// port is the port that freeAddress returned last. The ports lie below those
// that the kernel gives to outgoing connections, which could take one between
// the test and its program; each test process begins elsewhere.
var port atomic.Int64

const firstPort, ports = 10000, 20000

func init() { port.Store(rand.Int64N(ports)) }

// freeAddress returns a loopback address on which nobody listens, neither by
// TCP nor by UDP.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.FormatInt(firstPort+port.Add(1)%ports, 10))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", address)
		l.Close()
		if err == nil {
			u.Close()
			return address
		}
	}
	t.Fatal("no port is free for both TCP and UDP")
	return ""
}
