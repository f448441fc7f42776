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
type house struct {
	t       *testing.T
	socket  string
	monitor string
	grpc    string
	line    string
	sidecar *process
}

// newHouse starts landmarkd on addresses of its own, with further flags if any.
func newHouse(t *testing.T, flags ...string) *house {
	t.Helper()
	h := &house{
		t:       t,
		socket:  filepath.Join(t.TempDir(), "agent.sock"),
		monitor: freeAddress(t),
		grpc:    freeAddress(t),
		line:    freeAddress(t),
	}
	h.start(flags...)
	return h
}

// start starts landmarkd, again if it ran before, with further flags if any.
func (h *house) start(flags ...string) {
	h.t.Helper()
	h.sidecar = start(h.t, program("landmarkd"),
		append(flags, "-agent-socket", h.socket, "-monitor", h.monitor, "-grpc", h.grpc, "-line", h.line)...)
	h.sidecar.awaitLine("landmarkd is ready")
}

// epg starts an EPG server that reports to the house, and waits until it
// serves.
func (h *house) epg(within string) (server *process, address string) {
	h.t.Helper()
	address = freeAddress(h.t)
	server = start(h.t, program("epgd"), "-listen", address, "-agent-socket", h.socket, "-within", within)
	h.await(checkUDP, "epg", "SERVING none")
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
