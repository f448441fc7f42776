//go:build e2e

package e2e_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// realServer is a program and its sidecar on an IP address of their own, as on a
// separate machine.
type realServer struct {
	*env
	epgd    *process
	address string
}

// newRealServers starts real servers on 127.0.0.1, 127.0.0.2 and so on. Their
// sidecars listen on the same ports.
func newRealServers(t *testing.T, n int) []*realServer {
	t.Helper()
	monitor, grpc, line, http := portOf(t, freeAddress(t)), portOf(t, freeAddress(t)), portOf(t, freeAddress(t)), portOf(t, freeAddress(t))
	servers := make([]*realServer, n)
	for i := range servers {
		host := fmt.Sprintf("127.0.0.%d", i+1)
		e := &env{
			t:       t,
			socket:  filepath.Join(t.TempDir(), "agent.sock"),
			monitor: net.JoinHostPort(host, monitor),
			grpc:    net.JoinHostPort(host, grpc),
			line:    net.JoinHostPort(host, line),
			http:    net.JoinHostPort(host, http),
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
	stats   string // the path of its statistics socket
}

// startBalancer runs HAProxy with the snippet for the servers, and a socket for
// its statistics.
func startBalancer(t *testing.T, servers []*realServer, flags string) *balancer {
	t.Helper()
	path := debian(t, "haproxy", "haproxy")
	x := &balancer{t: t, virtual: freeAddress(t), stats: filepath.Join(t.TempDir(), "stats.sock")}
	line := fmt.Sprintf("haproxy -service epg -virtual %s -monitor %s -line %s -http %s %s",
		x.virtual, portOf(t, servers[0].monitor), portOf(t, servers[0].line), portOf(t, servers[0].http), flags)
	for _, s := range servers {
		line += " -real " + s.address
	}
	stats := filepath.Join(t.TempDir(), "stats.cfg")
	write(t, stats, "global\n    stats socket "+x.stats+"\n")
	start(t, path, "-db", "-f", snippet(t, line), "-f", stats)
	return x
}

// state returns a column of HAProxy's statistics of a server, or "" if there are
// none yet.
func (x *balancer) state(s *realServer, column string) string {
	row, err := haproxyServer(x.t, x.stats, s.address)
	if err != nil {
		return "" // it is starting
	}
	return row[column]
}

// await waits until a server has the wanted state, and returns how long that took.
func (x *balancer) await(s *realServer, column, want string) time.Duration {
	x.t.Helper()
	begun := time.Now()
	for x.state(s, column) != want {
		if time.Since(begun) > testTimeout {
			x.t.Fatalf("after %v: %s of %s: got %q, want %q", testTimeout, column, s.address, x.state(s, column), want)
		}
		time.Sleep(checkInterval)
	}
	return time.Since(begun)
}

// wantProgrammes requests programmes through HAProxy, two for each server.
func (x *balancer) wantProgrammes(servers []*realServer) {
	x.t.Helper()
	for range 2 * len(servers) {
		if code, _, errs := runProgram(x.t, program("epgd"), "-ask", x.virtual); code != 0 {
			x.t.Errorf("client of HAProxy: got exit code %d, want 0: %s", code, errs)
		}
	}
}

// assertFollowsHang asserts that HAProxy takes the server out within the limit when its
// main loop hangs, and puts it in again when the loop goes on. It is documented that a
// server is taken out after 1.1 s, by the agent-check earlier.
func (x *balancer) assertFollowsHang(s *realServer, servers []*realServer, down string, limit time.Duration) {
	x.t.Helper()
	s.epgd.signal(syscall.SIGUSR1)
	s.await(checkUDP, "epg", "NOT_SERVING stalled")
	assertWithin(x.t, x.await(s, "status", down), limit, "taking out the hung server")
	x.wantProgrammes(servers)
	s.epgd.signal(syscall.SIGUSR2)
	x.await(s, "status", "UP")
}

// HAProxy with the snippet for tcp-check takes a hung server out and puts it in
// again. A restart of landmarkd changes nothing, and a server without landmarkd is
// taken out.
func TestSnippetHAProxyTCPCheck(t *testing.T) {
	parallel(t)
	servers := newRealServers(t, 2)
	x := startBalancer(t, servers, "-check tcp -interval 100ms -patience 1s")
	hung, other := servers[0], servers[1]
	// A server is UP from the start. The status of the check shows that it ran.
	for _, s := range servers {
		x.await(s, "check_status", "L7OK")
	}
	x.wantProgrammes(servers)

	x.assertFollowsHang(hung, servers, "DOWN", 2*time.Second)

	other.sidecar.kill()
	other.start()
	other.await(checkUDP, "epg", "SERVING none")
	x.await(other, "check_status", "L7OK")
	if downs := x.state(other, "chkdown"); downs != "0" {
		t.Errorf("chkdown after a restart of landmarkd: got %s, want 0", downs)
	}
	other.sidecar.kill()
	x.await(other, "status", "DOWN")
	x.wantProgrammes(servers)
}

// HAProxy with the snippet for agent-check takes a hung server out by that. A
// server without landmarkd is taken out by the other check.
func TestSnippetHAProxyAgentCheck(t *testing.T) {
	parallel(t)
	for _, check := range []string{"both", "agent"} {
		t.Run(check, func(t *testing.T) {
			servers := newRealServers(t, 2)
			x := startBalancer(t, servers, "-check "+check+" -interval 200ms -patience 1s")
			hung, other := servers[0], servers[1]
			for _, s := range servers {
				x.await(s, "check_status", "L7OK")
				x.await(s, "agent_status", "L7OK")
			}
			x.wantProgrammes(servers)

			x.assertFollowsHang(hung, servers, "DOWN (agent)", time.Second)

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

// HAProxy with the snippet for httpchk stops a draining server softly: it gets no new
// connections, and those that it has go on. A server that hangs is out, drained or not,
// and so is one without landmarkd.
func TestSnippetHAProxyHTTPCheck(t *testing.T) {
	parallel(t)
	servers := newRealServers(t, 2)
	x := startBalancer(t, servers, "-check http -interval 100ms -patience 1s")
	drained, other := servers[0], servers[1]
	for _, s := range servers {
		x.await(s, "check_status", "L7OK")
	}
	x.wantProgrammes(servers)
	sessions := []*epgSession{x.session(), x.session()} // one with each server
	for i, s := range sessions {
		s.request(fmt.Sprint("session ", i, " before the drain"))
	}

	drained.landmark(0, "drain", "epg")
	x.await(drained, "status", "NOLB")
	total := x.state(drained, "stot")
	x.wantProgrammes(servers)
	if now := x.state(drained, "stot"); now != total {
		t.Errorf("the draining server has got %s connections, want %s", now, total)
	}
	for i, s := range sessions {
		s.request(fmt.Sprint("session ", i, " during the drain"))
	}
	if downs := x.state(drained, "chkdown"); downs != "0" {
		t.Errorf("chkdown of the draining server: got %s, want 0", downs)
	}
	drained.epgd.signal(syscall.SIGUSR1) // a drain does not hide a hang
	x.await(drained, "status", "DOWN")
	drained.epgd.signal(syscall.SIGUSR2)
	drained.landmark(0, "resume", "epg")
	x.await(drained, "status", "UP")
	x.wantProgrammes(servers)

	x.assertFollowsHang(other, servers, "DOWN", 2*time.Second)
	other.sidecar.kill()
	x.await(other, "status", "DOWN")
	x.wantProgrammes(servers)
}

// epgSession is a connection to an EPG server through HAProxy.
type epgSession struct {
	net.Conn
	t *testing.T
}

func (x *balancer) session() *epgSession {
	x.t.Helper()
	conn, err := net.Dial("tcp", x.virtual)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { conn.Close() })
	return &epgSession{conn, x.t}
}

// request requests the programme of channel 1 (examples/epgd/protocol.go).
func (s *epgSession) request(what string) {
	s.t.Helper()
	s.SetDeadline(time.Now().Add(testTimeout))
	q := binary.BigEndian.AppendUint64([]byte("EPG1\x00\x01"), uint64(time.Now().Unix()))
	if _, err := s.Write(q); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	answer := make([]byte, 18)
	if _, err := io.ReadFull(s, answer); err != nil || string(answer[:5]) != "EPG1\x00" {
		s.t.Fatalf("%s: got %q, %v, want a programme", what, answer, err)
	}
	if _, err := io.CopyN(io.Discard, s, int64(answer[17])); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}
