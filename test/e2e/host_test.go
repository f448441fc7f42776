//go:build e2e

package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// agentless returns the configuration of a service whose program has no agent and
// listens at the address.
func agentless(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return "services:\n  epg:\n    instances: none\n    host:\n" +
		"      port: {listening: " + port + "}\n      accept queue: {accept_queue: \"" + address + "\", within: 500ms}\n"
}

// newConfiguredEnv starts landmarkd with a configuration.
func newConfiguredEnv(t *testing.T, content string) *env {
	t.Helper()
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, file, content)
	return newEnv(t, "-config", file)
}

// plain starts a server without Landmark.
func plain(t *testing.T, address string) *process {
	t.Helper()
	p := start(t, program("plain"), address)
	p.awaitLine("plain is ready")
	return p
}

// greeted reports whether the server at the address sends anything.
func greeted(t *testing.T, address string) bool {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(testTimeout))
	n, _ := c.Read(make([]byte, 1))
	return n > 0
}

// knock connects to the server, closes the connection or resets it, and returns
// the time afterwards.
func knock(t *testing.T, address string, reset bool) time.Time {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if reset {
		c.(*net.TCPConn).SetLinger(0)
	}
	c.Close()
	return time.Now()
}

// For a program without an agent, every checker sees a hang while the port is
// open, the end of the hang, and the end of the program.
func TestHostDetectsHangWithoutAgent(t *testing.T) {
	parallel(t)
	address := freeAddress(t)
	e := newConfiguredEnv(t, agentless(address))
	e.await(runLandmarkCheck, "epg", "NOT_SERVING failed")
	server := plain(t, address)
	e.await(runLandmarkCheck, "epg", "SERVING none")
	checks := allChecks(t, e)

	for _, reset := range []bool{false, true} { // load balancers check a port either way
		if !greeted(t, address) {
			t.Fatal("the server does not serve")
		}
		server.signal(syscall.SIGSTOP)
		e.awaitAll(checks, "NOT_SERVING stalled", knock(t, address, reset), 900*time.Millisecond)
		if got, want := checkUDP(e, "epg-liveness"), "NOT_SERVING stalled"; got != want {
			t.Errorf("liveness of a hung server: got %q, want %q", got, want)
		}
		status, _ := e.landmark(0, "status", "epg")
		wantLine(t, status, `epg +NOT_SERVING +stalled +0% +NOT_SERVING +\d.* accept queue: a connection to TCP `+regexp.QuoteMeta(address)+` has not been accepted for \d.*, allowed 500 ms`)
		wantLine(t, status, `accept queue +deadline +failing +critical +1 open, the oldest begun .* ago: a connection .* +allowed 500 ms`)
		wantLine(t, status, `port +condition +ok +readiness +holds, set \d+ ms ago *`)
		e.awaitAll(checks, "SERVING none", server.signal(syscall.SIGCONT), 500*time.Millisecond)
	}

	e.awaitAll(checks, "NOT_SERVING failed", server.kill(), 400*time.Millisecond)
	// It may be restarting, which is no failure of liveness.
	if got, want := checkUDP(e, "epg-liveness"), "SERVING none"; got != want {
		t.Errorf("liveness of a server that does not listen: got %q, want %q", got, want)
	}
}

// A busy server, whose clients at times connect faster than it accepts, serves
// throughout.
func TestHostBusyServerIsServing(t *testing.T) {
	parallel(t)
	address := freeAddress(t)
	// Half a second without CPU time is a hang of that length. With strictTimes the default must do.
	limit := ", within: 10s"
	if strictTimes {
		limit = ""
	}
	e := newConfiguredEnv(t, strings.Replace(agentless(address), ", within: 500ms", limit, 1))
	server := plain(t, address)
	e.await(checkUDP, "epg", "SERVING none")
	stop := make(chan struct{})
	defer close(stop)
	for range 4 {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c, err := net.Dial("tcp", address); err == nil {
					c.Read(make([]byte, 1))
					c.(*net.TCPConn).SetLinger(0) // closed normally, ports run out
					c.Close()
				}
			}
		}()
	}
	for begun := time.Now(); time.Since(begun) < 4*time.Second; time.Sleep(20 * time.Millisecond) {
		if got, want := checkUDP(e, "epg"), "SERVING none"; got != want {
			t.Fatalf("after %v under load: got %q, want %q", time.Since(begun), got, want)
		}
	}
	server.signal(syscall.SIGSTOP)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
}

// Landmarks of the host do not replace the agent of a program that has one: not
// before the first report, and not after a restart of landmarkd. Nor does a
// healthy report replace the port.
func TestHostDoesNotReplaceAgent(t *testing.T) {
	parallel(t)
	address := freeAddress(t)
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, file, strings.Replace(agentless(address), "    instances: none\n", "", 1))
	e := newEnv(t, "-config", file)
	server := plain(t, address)
	e.await(checkUDP, "epg", "NOT_SERVING unreported")
	e.epg("500ms")
	e.sidecar.kill()
	e.start("-config", file)
	e.await(checkUDP, "epg", "SERVING none")
	e.awaitAll(map[string]checkFunc{"lmp over UDP": checkUDP}, "NOT_SERVING failed", server.kill(), 400*time.Millisecond)
	if got, want := checkUDP(e, "epg-liveness"), "SERVING none"; got != want {
		t.Errorf("liveness without the port: got %q, want %q", got, want)
	}
	write(t, file, "services: {epg: {}}")
	e.sidecar.signal(syscall.SIGHUP)
	e.await(checkUDP, "epg", "SERVING none")
}

// What happens on the host while landmarkd is paused is in its first answer.
func TestHostIsReadAfterPause(t *testing.T) {
	parallel(t)
	address := freeAddress(t)
	e := newConfiguredEnv(t, agentless(address))
	for range 5 {
		server := plain(t, address)
		e.await(checkUDP, "epg", "SERVING none")
		e.sidecar.signal(syscall.SIGSTOP)
		server.kill()
		time.Sleep(200 * time.Millisecond)
		e.sidecar.signal(syscall.SIGCONT)
		if got, want := checkUDP(e, "epg"), "NOT_SERVING failed"; got != want {
			t.Errorf("first answer after a pause: got %q, want %q", got, want)
		}
	}
}

// A real server by direct routing fails without its virtual address, and with
// ARP settings under which it announces that address.
func TestHostVirtualAddress(t *testing.T) {
	parallel(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can give a process a network of its own")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "landmarkd.yaml")
	write(t, file, "services:\n  epg:\n    instances: none\n    host:\n      virtual address: {address: 192.0.2.80, direct_routing: true}\n")
	e := &env{t: t, socket: filepath.Join(dir, "agent.sock"), grpc: "unix:" + filepath.Join(dir, "grpc.sock")}
	e.sidecar = prepare(t, program("landmarkd"), append(e.flags(), "-config", file)...)
	e.sidecar.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	e.sidecar.start()
	e.sidecar.awaitLine("landmarkd is ready")
	inside := func(command string) time.Time {
		t.Helper()
		args := append([]string{"-t", strconv.Itoa(e.sidecar.cmd.Process.Pid), "-n"}, strings.Fields(command)...)
		if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return time.Now()
	}
	becomes := func(verdict, reason string, since time.Time) {
		t.Helper()
		line := regexp.MustCompile(`(?m)^epg +` + verdict + ` .*` + regexp.QuoteMeta(reason))
		for {
			begun := time.Now()
			if status, _ := e.landmark(0, "status", "epg"); line.MatchString(status) {
				t.Logf("%-11s %q after %v", verdict, reason, begun.Sub(since).Round(time.Millisecond))
				return
			} else if begun.Sub(since) > testTimeout {
				t.Fatalf("got\n%s\nwant %q, %q", status, verdict, reason)
			}
		}
	}
	const setting = "sysctl -q -w net.ipv4.conf."
	inside("ip link set lo up")
	inside("ip link add eth0 type veth peer name eth1")
	inside(setting + "all.arp_ignore=1")
	inside(setting + "all.arp_announce=2")
	inside("ip link set eth0 up")
	becomes("NOT_SERVING +failed", "192.0.2.80 is on no interface of this host", time.Now())
	add, del := "ip addr add 192.0.2.80/32 dev lo", "ip addr del 192.0.2.80/32 dev lo"
	becomes("SERVING", "", inside(add))
	becomes("NOT_SERVING +failed", "192.0.2.80 is on no interface of this host", inside(del))
	becomes("SERVING", "", inside(add))
	for _, wrong := range []struct{ set, right, reason string }{
		{"all.arp_ignore=0", "all.arp_ignore=1", "eth0 answers ARP for 192.0.2.80, its arp_ignore being 0: sysctl -w net.ipv4.conf.all.arp_ignore=1"},
		{"eth0.arp_ignore=3", "eth0.arp_ignore=0", "eth0 answers ARP for 192.0.2.80, its arp_ignore being 3: sysctl -w net.ipv4.conf.all.arp_ignore=1"},
		{"all.arp_announce=0", "all.arp_announce=2", "eth0 may announce 192.0.2.80 in ARP, its arp_announce being 0: sysctl -w net.ipv4.conf.all.arp_announce=2"},
	} {
		becomes("NOT_SERVING +failed", wrong.reason, inside(setting+wrong.set))
		becomes("SERVING", "", inside(setting+wrong.right))
	}
}
