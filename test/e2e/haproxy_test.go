//go:build e2e

package e2e_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/nettest"
	"github.com/landmark-health/landmark/lmp"
)

// haproxy is an unmodified HAProxy that balances to the one server s1.
type haproxy struct {
	*process
	stats string // the path of its stats socket
}

// startHAProxy starts an HAProxy that balances to the server. It checks the sidecar
// as in docs/line.md: the service by LMP, and the weight of "epg" by agent-check.
func startHAProxy(t *testing.T, e *env, service, server string) *haproxy {
	t.Helper()
	path := debian(t, "haproxy", "haproxy")
	_, monitorPort, _ := net.SplitHostPort(e.monitor)
	_, linePort, _ := net.SplitHostPort(e.line)
	request, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindCheck, Service: []byte(service)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	balancer := &haproxy{stats: filepath.Join(dir, "stats")}
	configuration := filepath.Join(dir, "haproxy.cfg")
	err = os.WriteFile(configuration, fmt.Appendf(nil, `
global
  stats socket %s
  log stderr local0
defaults
  mode tcp
  log global
  timeout connect 1s
  timeout client 5s
  timeout server 5s
listen epg
  bind unix@%s
  option tcp-check
  tcp-check connect port %s
  tcp-check send-binary %X
  tcp-check expect rbinary ^4C4D018101
  server s1 %s weight 50 check inter 100ms agent-check agent-port %s agent-inter 50ms agent-send "agent epg\n"
`, balancer.stats, filepath.Join(dir, "front"), monitorPort, request, server, linePort), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	balancer.process = start(t, path, "-db", "-f", configuration)
	return balancer
}

// server returns HAProxy's status and weight of the server, and the last answer
// of its agent-check.
func (p *haproxy) server() (status, weight, answer string) {
	p.t.Helper()
	row, err := haproxyServer(p.t, p.stats, "s1")
	if err != nil {
		return "", "", err.Error() // it is starting
	}
	return row["status"], row["weight"], row["last_agt"]
}

// haproxyServer returns the columns of the server with the name in HAProxy's statistics. It
// returns an error if they cannot be requested.
func haproxyServer(t *testing.T, socket, name string) (columns map[string]string, err error) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	fmt.Fprintln(conn, "show stat")
	rows, err := csv.NewReader(conn).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		return nil, errors.New("HAProxy has no statistics yet")
	}
	for _, row := range rows[1:] {
		columns := make(map[string]string)
		for i, column := range rows[0] {
			columns[column] = row[i]
		}
		if columns["svname"] == name {
			return columns, nil
		}
	}
	t.Fatalf("HAProxy's statistics: got %q, want a row of %s", rows, name)
	return nil, nil
}

// awaitServer waits until HAProxy shows the server with the weight, and with a
// status and an answer that begin so.
func (p *haproxy) awaitServer(status, weight, answer string) {
	p.t.Helper()
	begun := time.Now()
	for {
		s, w, a := p.server()
		if strings.HasPrefix(s, status) && w == weight && strings.HasPrefix(a, answer) {
			p.t.Logf("%-14s %3s  %-50s after %v", s, w, a, time.Since(begun).Round(time.Millisecond))
			return
		}
		if time.Since(begun) > testTimeout {
			p.t.Fatalf("server in HAProxy: got %q, weight %s, %q, want %q, weight %s, %q", s, w, a, status, weight, answer)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// assertLogs asserts that HAProxy has logged only changes of its server, and
// landmarkd nothing about its checkers.
func (p *haproxy) assertLogs(sidecar *process) {
	p.t.Helper()
	for _, line := range p.written() {
		if strings.HasPrefix(line, "<") && !strings.Contains(line, "erver epg/s1 ") && !strings.Contains(line, "proxy epg has no server available") {
			p.t.Errorf("unexpected log line of HAProxy: %s", line)
		}
	}
	for _, line := range sidecar.written() {
		if !strings.Contains(line, "msg=\"program ") && !strings.Contains(line, "msg=\"verdict changed\"") && !strings.Contains(line, "landmarkd is ready") {
			p.t.Errorf("unexpected log line of landmarkd: %s", line)
		}
	}
}

// HAProxy's agent-check takes out a server whose main loop hangs while its port is
// open, and shows the reason. It puts the server in again when the loop goes on.
func TestHAProxyRemovesHungServer(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, address := e.epg("500ms")
	balancer := startHAProxy(t, e, "epg", address)

	balancer.awaitServer("UP", "50", "via agent : up")
	server.signal(syscall.SIGUSR1)
	balancer.awaitServer("DOWN", "50", "via agent : down (stalled: main loop last answered ")
	server.signal(syscall.SIGUSR2)
	balancer.awaitServer("UP", "50", "via agent : up")

	server.kill()
	balancer.awaitServer("DOWN", "50", "via agent : down (lost: ")
	balancer.assertLogs(e.sidecar)
}

// HAProxy keeps the last answer of an agent-check that no longer answers. The
// check by LMP takes the server out when landmarkd is gone.
func TestHAProxyRemovesServerWithoutSidecar(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	_, address := e.epg("500ms")
	balancer := startHAProxy(t, e, "epg", address)
	balancer.awaitServer("UP", "50", "via agent : up")
	e.sidecar.kill()
	balancer.awaitServer("DOWN", "50", "")
	e.start()
	balancer.awaitServer("UP", "50", "via agent : up")
}

// HAProxy follows the weight of a queue that fills, a drain and a failure, and
// the end of each, in any order.
func TestHAProxyFollowsWeightAndDrain(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	a, queue, database := e.queueProgram()
	balancer := startHAProxy(t, e, "epg-liveness", connectOnly(t))

	balancer.awaitServer("UP", "50", "via agent : up")
	queue.Set(160)
	balancer.awaitServer("UP", "20", "via agent : up (degraded)")
	queue.Set(0)
	balancer.awaitServer("UP", "50", "via agent : up")

	a.Drain()
	balancer.awaitServer("DRAIN (agent)", "50", "via agent : up (draining: drained by the program itself)")
	// The reason has words that HAProxy would take for commands.
	database.Set(false, "up, ready 100%")
	balancer.awaitServer("DOWN (agent)", "50", "via agent : down (failed: database does not hold: u_p, ready 100%)")
	database.Set(true, "") // still draining, so alive and not down
	balancer.awaitServer("DRAIN (agent)", "50", "via agent : up (draining: drained by the program itself)")
	a.Resume()
	balancer.awaitServer("UP", "50", "via agent : up")

	a.Close()
	balancer.awaitServer("DOWN", "50", "via agent : down (stopped: the program said goodbye ")
	balancer.assertLogs(e.sidecar)
}

// connectOnly returns the address of a server that accepts connections and never
// answers.
func connectOnly(t *testing.T) string {
	t.Helper()
	return nettest.ServeTCP(t, "127.0.0.1:0", func(conn net.Conn) { io.Copy(io.Discard, conn) })
}
