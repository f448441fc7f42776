//go:build e2e

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// realServer is a program and its sidecar on an address of their own, as on a
// machine of their own.
type realServer struct {
	*env
	epgd    *process
	address string
}

// newRealServers starts real servers on 127.0.0.1, 127.0.0.2 and so on. Their
// sidecars listen on the same ports.
func newRealServers(t *testing.T, n int) []*realServer {
	t.Helper()
	monitor, grpc, line := portOf(t, freeAddress(t)), portOf(t, freeAddress(t)), portOf(t, freeAddress(t))
	servers := make([]*realServer, n)
	for i := range servers {
		host := fmt.Sprintf("127.0.0.%d", i+1)
		e := &env{
			t:       t,
			socket:  filepath.Join(t.TempDir(), "agent.sock"),
			monitor: net.JoinHostPort(host, monitor),
			grpc:    net.JoinHostPort(host, grpc),
			line:    net.JoinHostPort(host, line),
		}
		e.start()
		s := &realServer{env: e, address: net.JoinHostPort(host, portOf(t, freeAddress(t)))}
		s.epgd = start(t, program("epgd"), "-listen", s.address, "-agent-socket", e.socket, "-within", "500ms")
		e.await(checkUDP, "epg", "SERVING none")
		servers[i] = s
	}
	return servers
}

// balancer is an HAProxy that balances the service "epg".
type balancer struct {
	t       *testing.T
	virtual string
	stats   string // its socket
}

// startBalancer runs HAProxy with what is printed for the servers, and nothing
// else but a socket to look into it.
func startBalancer(t *testing.T, servers []*realServer, flags string) *balancer {
	t.Helper()
	path := debian(t, "haproxy", "haproxy")
	x := &balancer{t: t, virtual: freeAddress(t), stats: filepath.Join(t.TempDir(), "stats.sock")}
	line := fmt.Sprintf("haproxy -service epg -virtual %s -monitor %s -line %s %s",
		x.virtual, portOf(t, servers[0].monitor), portOf(t, servers[0].line), flags)
	for _, s := range servers {
		line += " -real " + s.address
	}
	stats := filepath.Join(t.TempDir(), "stats.cfg")
	write(t, stats, "global\n    stats socket "+x.stats+"\n")
	start(t, path, "-db", "-f", snippet(t, line), "-f", stats)
	return x
}

// state tells a column of HAProxy's statistics of a server, "" while there are
// none.
func (x *balancer) state(s *realServer, column string) string {
	conn, err := net.Dial("unix", x.stats)
	if err != nil {
		return ""
	}
	defer conn.Close()
	fmt.Fprintln(conn, "show stat")
	text, err := io.ReadAll(conn)
	if err != nil {
		x.t.Error(err)
	}
	lines := strings.Split(string(text), "\n")
	names := strings.Split(strings.TrimPrefix(lines[0], "# "), ",")
	for _, line := range lines[1:] {
		values := strings.Split(line, ",")
		if len(values) < len(names) || values[1] != s.address {
			continue
		}
		for i, name := range names {
			if name == column {
				return values[i]
			}
		}
	}
	return ""
}

// await waits until a server is in the wanted state, and returns for how long.
func (x *balancer) await(s *realServer, column, want string) time.Duration {
	x.t.Helper()
	begun := time.Now()
	for x.state(s, column) != want {
		if time.Since(begun) > testTimeout {
			x.t.Fatalf("after %v %s of %s is %q, want %q", testTimeout, column, s.address, x.state(s, column), want)
		}
		time.Sleep(checkInterval)
	}
	return time.Since(begun)
}

// wantProgrammes asks through HAProxy, twice as often as there are servers.
func (x *balancer) wantProgrammes(servers []*realServer) {
	x.t.Helper()
	for range 2 * len(servers) {
		if code, _, errs := runProgram(x.t, program("epgd"), "-ask", x.virtual); code != 0 {
			x.t.Errorf("a client got no programme: %s", errs)
		}
	}
}

// HAProxy as it is printed takes a wedged server out and in again, bears a
// restart of landmarkd, and takes out a server of which nobody tells anything.
func TestSnippetHAProxyTCPCheck(t *testing.T) {
	parallel(t)
	servers := newRealServers(t, 2)
	x := startBalancer(t, servers, "-check tcp -interval 100ms -patience 1s")
	wedged, other := servers[0], servers[1]
	// A server is UP from the start: that it was asked is in the check's status.
	for _, s := range servers {
		x.await(s, "check_status", "L7OK")
	}
	x.wantProgrammes(servers)

	wedged.epgd.signal(syscall.SIGUSR1)
	wedged.await(checkUDP, "epg", "NOT_SERVING stalled")
	assertWithin(t, x.await(wedged, "status", "DOWN"), 2*time.Second, "the wedged server until it was out, for which 1.1 s are written,")
	x.wantProgrammes(servers)
	wedged.epgd.signal(syscall.SIGUSR2)
	x.await(wedged, "status", "UP")

	other.sidecar.kill()
	other.start()
	other.await(checkUDP, "epg", "SERVING none")
	x.await(other, "check_status", "L7OK")
	if downs := x.state(other, "chkdown"); downs != "0" {
		t.Errorf("a restart of landmarkd took its server out: chkdown is %s", downs)
	}
	other.sidecar.kill()
	x.await(other, "status", "DOWN")
	x.wantProgrammes(servers)
}

// HAProxy that is told by lines takes a wedged server out by them, and one of
// which nobody tells anything by its other check.
func TestSnippetHAProxyAgentCheck(t *testing.T) {
	parallel(t)
	for _, check := range []string{"both", "agent"} {
		t.Run(check, func(t *testing.T) {
			servers := newRealServers(t, 2)
			x := startBalancer(t, servers, "-check "+check+" -interval 200ms -patience 1s")
			wedged, other := servers[0], servers[1]
			for _, s := range servers {
				x.await(s, "check_status", "L7OK")
				x.await(s, "agent_status", "L7OK")
			}
			x.wantProgrammes(servers)

			wedged.epgd.signal(syscall.SIGUSR1)
			wedged.await(checkUDP, "epg", "NOT_SERVING stalled")
			assertWithin(t, x.await(wedged, "status", "DOWN (agent)"), time.Second, "the wedged server until it was out")
			x.wantProgrammes(servers)
			wedged.epgd.signal(syscall.SIGUSR2)
			x.await(wedged, "status", "UP")

			other.landmark(0, "drain", "-admin-socket", other.adminSocket(), "epg")
			x.await(other, "status", "DRAIN (agent)")
			x.wantProgrammes(servers)
			other.landmark(0, "resume", "-admin-socket", other.adminSocket(), "epg")
			x.await(other, "status", "UP")

			other.sidecar.kill()
			x.await(other, "status", "DOWN")
			x.wantProgrammes(servers)
		})
	}
}
