//go:build e2e

package e2e_test

import (
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/landmark-health/landmark/test/freeport"
)

// env is a sidecar and the addresses at which it can be reached.
type env struct {
	t       *testing.T
	socket  string // of the agents
	monitor string // "" = not served
	grpc    string
	line    string // "" = not served
	http    string // "" = not served
	sidecar *process
}

// prepareEnv returns an env whose sidecar has not been started.
func prepareEnv(t *testing.T) *env {
	t.Helper()
	return &env{
		t:       t,
		socket:  filepath.Join(t.TempDir(), "agent.sock"),
		monitor: freeAddress(t),
		grpc:    freeAddress(t),
		line:    freeAddress(t),
		http:    freeAddress(t),
	}
}

// newEnv starts landmarkd on addresses of its own, with further flags if any.
func newEnv(t *testing.T, flags ...string) *env {
	t.Helper()
	e := prepareEnv(t)
	e.start(flags...)
	return e
}

// flags are the flags of landmarkd that set the addresses of e.
func (e *env) flags() []string {
	return []string{"-agent-socket", e.socket, "-monitor", e.monitor, "-grpc", e.grpc, "-line", e.line, "-http", e.http}
}

// start starts or restarts landmarkd, with further flags if any, and waits until
// it is ready.
func (e *env) start(flags ...string) {
	e.t.Helper()
	e.sidecar = start(e.t, program("landmarkd"), append(flags, e.flags()...)...)
	e.sidecar.awaitLine("landmarkd is ready")
}

// epg starts an EPG server that reports to the sidecar, and waits until it
// serves.
func (e *env) epg(within string) (server *process, address string) {
	e.t.Helper()
	address = freeAddress(e.t)
	server = start(e.t, program("epgd"), "-listen", address, "-agent-socket", e.socket, "-within", within)
	e.await(checkUDP, "epg", "SERVING none")
	return server, address
}

// dialGRPC opens a connection to the sidecar's gRPC address.
func (e *env) dialGRPC() *grpc.ClientConn {
	e.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+e.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { conn.Close() })
	return conn
}

// freeAddress returns a loopback address on which no process listens, neither
// by TCP nor by UDP.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
