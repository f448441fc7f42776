package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/nettest"
	"github.com/landmark-health/landmark/lmp"
)

// expectDeadline fails the test unless r ended at its deadline, with that exit code and a
// line that names the service.
func expectDeadline(t *testing.T, r result, code int, limit time.Duration) {
	t.Helper()
	if r.code != code || r.stderr != "" || strings.Count(r.stdout, "\n") != 1 || !strings.Contains(r.stdout, "epg: ") {
		t.Errorf("exit %d, stdout %q, stderr %q; want exit %d and one line of epg", r.code, r.stdout, r.stderr, code)
	}
	if most := limit + startTime(t); r.took < limit || r.took > most {
		t.Errorf("took %v, want %v to %v", r.took, limit, most)
	}
}

// startTime is how much longer than its timeout a run may take: many times the start of
// the program, as it takes on this machine now.
func startTime(t *testing.T) time.Duration {
	t.Helper()
	return time.Second + 50*execute(t, program, "-version").took
}

// Whatever the network does, the program exits at its timeout.
func TestDeadlineOfNetwork(t *testing.T) {
	const limit = 300 * time.Millisecond
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	serving := answers["epg"]
	serving.Kind = lmp.KindCheck

	for name, tt := range map[string]struct {
		network, address string
	}{
		"a black hole": {"udp", nettest.ServeUDP(t, "127.0.0.1:0", func([]byte) []byte { return nil })},
		"nonsense":     {"udp", nettest.ServeUDP(t, "127.0.0.1:0", func([]byte) []byte { return []byte("nonsense") })},
		"the answer to another question": {"udp", nettest.ServeUDP(t, "127.0.0.1:0", func([]byte) []byte {
			return lmp.AppendAnswer(nil, &serving, lmp.MaxDatagram, nil)
		})},
		"a closed UDP port": {"udp", freeUDP(t)},
		"silence":           {"tcp", nettest.ServeTCP(t, "127.0.0.1:0", func(net.Conn) { <-hang })},
		"a byte at a time": {"tcp", nettest.ServeTCP(t, "127.0.0.1:0", func(conn net.Conn) {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for _, b := range lmp.AppendAnswer(nil, &serving, lmp.MaxLength, nil) {
				<-tick.C
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
			}
		})},
		"a full queue":             {"tcp", fullBacklog(t)},
		"a closed port":            {"tcp", freeUDP(t)},
		"endless garbage":          {"udp", flood(t)},
		"endless garbage over TCP": {"tcp", nettest.ServeTCP(t, "127.0.0.1:0", babble)},
	} {
		for _, mode := range []struct {
			name string
			code int
		}{{"exec", 2}, {"keepalived", 1}, {"nagios", 2}} {
			t.Run(name+" "+mode.name, func(t *testing.T) {
				t.Parallel() // each only waits
				r := execute(t, program, "-addr", tt.address, "-"+tt.network, "-service", "epg", "-timeout", limit.String(), "-as", mode.name)
				expectDeadline(t, r, mode.code, limit)
			})
		}
	}
}

// freeUDP returns an address at which no one listens.
func freeUDP(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}

// fullBacklog returns the address of a listener whose queue is full, so that no connection
// is ever made.
func fullBacklog(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 100 {
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the queue does not fill up")
	return ""
}

// flood returns the address of a server that answers the first datagram with garbage until
// the test ends.
func flood(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for {
			_, from, err := conn.ReadFrom(make([]byte, lmp.MaxDatagram))
			if err != nil {
				return
			}
			// Until the kernel reports that the checker is gone, or the test ends.
			for err == nil {
				_, err = conn.WriteTo([]byte("garbage"), from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// babble writes an answer of 65,535 bytes slowly, and goes on after its end.
func babble(conn net.Conn) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	header := []byte("LM\x01\x81\x01\x00\xff\xff")
	for _, err := conn.Write(header); err == nil; _, err = conn.Write([]byte("garbage")) {
		<-tick.C
	}
}

// The network drops all packets, those of the check and those of the lookup of a name.
func TestDeadlineInBlackHole(t *testing.T) {
	if out, err := exec.Command("unshare", "--user", "--map-root-user", "--net", "--mount", "ip", "link").CombinedOutput(); err != nil {
		t.Skipf("cannot make a network namespace: %v %s", err, out)
	}
	const limit = 300 * time.Millisecond
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver 10.99.0.53\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"10.99.0.2:19533", "epg.example.net:19533"} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(network+" "+address, func(t *testing.T) {
				// The neighbours do not exist: the other end of the cable drops everything.
				script := fmt.Sprintf(`set -e
					ip link set lo up
					ip link add hole type veth peer name end
					ip addr add 10.99.0.1/24 dev hole
					ip link set hole up
					ip link set end up
					ip neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 dev hole
					ip neigh add 10.99.0.53 lladdr 02:00:00:00:00:53 dev hole
					mount --bind %s /etc/resolv.conf
					exec %s "$@"`, resolv, program)
				r := execute(t, "unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", script, "sh",
					"-addr", address, "-"+network, "-service", "epg", "-timeout", limit.String())
				expectDeadline(t, r, 2, limit)
			})
		}
	}
}

// stuckPipe returns the end of a full pipe that no one reads.
func stuckPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for n := 1; n > 0; { // until it would block
			n, _ = syscall.Write(int(fd), make([]byte, 4096))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A full pipe that no one reads neither delays the program nor changes its exit code.
func TestDeadlineOfOutput(t *testing.T) {
	const limit = 300 * time.Millisecond
	address := nettest.ServeUDP(t, "127.0.0.1:0", new(server).reply)
	for _, tt := range []struct {
		name  string
		args  []string
		code  int
		limit time.Duration
	}{
		{"serving", []string{"-service", "epg", "-timeout", limit.String()}, 0, limit},
		{"not serving", []string{"-service", "stalled", "-timeout", limit.String()}, 4, limit},
		{"no answer", []string{"-addr", freeUDP(t), "-timeout", limit.String()}, 2, limit},
		{"bad arguments", []string{"-no"}, 1, defaultTimeout},
		{"bad arguments for Nagios", []string{"-as", "nagios", "-no"}, 3, defaultTimeout},
		{"help", []string{"-h"}, 1, defaultTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(program, append([]string{"-addr", address}, tt.args...)...)
			stuck := stuckPipe(t)
			cmd.Stdout, cmd.Stderr = stuck, stuck
			began := time.Now()
			cmd.Run()
			took := time.Since(began)
			if code := cmd.ProcessState.ExitCode(); code != tt.code || took < tt.limit || took > tt.limit+startTime(t) {
				t.Errorf("exit %d after %v, want %d after %v", code, took, tt.code, tt.limit)
			}
		})
	}
}

// A closed pipe does not change the exit code.
func TestClosedOutputKeepsExitCode(t *testing.T) {
	address := nettest.ServeUDP(t, "127.0.0.1:0", new(server).reply)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	for service, want := range map[string]int{"epg": 0, "stalled": 4} {
		cmd := exec.Command(program, "-addr", address, "-service", service, "-timeout", "20s")
		cmd.Stdout = w
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%s: exit %d (%v), want %d", service, code, cmd.ProcessState, want)
		}
	}
}
