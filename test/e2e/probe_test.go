//go:build e2e

package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/nettest"
)

// documentedProbe returns the configuration of the service in docs/configuration.md,
// with another address, and checked more often.
func documentedProbe(t *testing.T, service, address string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^  ` + service + `:\n(?:    .*\n)+`).FindString(string(text))
	if found == "" {
		t.Fatalf("docs/configuration.md has no probe of %s", service)
	}
	found = regexp.MustCompile(`(?m)^      (every|within|fall): .*\n`).ReplaceAllString(found, "")
	found = regexp.MustCompile(`(?m)^      (connect|udp|unix): .*$`).ReplaceAllString(found, "      $1: "+address+"\n      every: 200ms\n      within: 500ms")
	return found
}

// memcached starts a memcached.
func memcached(t *testing.T, address string) *process {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	return start(t, debian(t, "memcached", "memcached"), "-u", "nobody", "-l", host, "-p", port, "-U", "0")
}

// dnsmasq starts a DNS server that knows localhost.
func dnsmasq(t *testing.T, address string) *process {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	return start(t, debian(t, "dnsmasq", "dnsmasq-base"), "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=", "--group=",
		"--bind-interfaces", "--listen-address="+host, "--port="+port, "--no-resolv", "--no-hosts", "--address=/localhost/127.0.0.1")
}

// Unmodified programs, checked in their own protocols with the steps of the
// documentation: each is SERVING once it answers, NOT_SERVING while it is frozen though
// its port is open, SERVING again when it goes on, and NOT_SERVING when it has ended.
func TestProbeOfUnmodifiedPrograms(t *testing.T) {
	parallel(t)
	for _, tt := range []struct {
		program  string
		services []string // of the documentation
		start    func(t *testing.T, address, dir string) *process
	}{
		{"memcached", []string{"memcached", "memcached-binary"}, func(t *testing.T, address, _ string) *process { return memcached(t, address) }},
		{"redis", []string{"redis", "redis-unix"}, func(t *testing.T, address, dir string) *process {
			_, port, _ := net.SplitHostPort(address)
			return start(t, debian(t, "redis-server", "redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", dir, "--unixsocket", filepath.Join(dir, "redis.sock"))
		}},
		{"dnsmasq", []string{"dns"}, func(t *testing.T, address, _ string) *process { return dnsmasq(t, address) }},
		{"smtpd", []string{"smtp"}, func(t *testing.T, address, _ string) *process {
			python := debian(t, "python3", "python3")
			if exec.Command(python, "-W", "ignore", "-c", "import smtpd").Run() != nil {
				t.Skip("this python3 has no smtpd any more")
			}
			return start(t, python, "-W", "ignore", "-m", "smtpd", "-n", "-c", "DebuggingServer", address)
		}},
	} {
		t.Run(tt.program, func(t *testing.T) {
			t.Parallel()
			address, dir := freeAddress(t), t.TempDir()
			configuration := "services:\n"
			for _, s := range tt.services {
				at := address
				if strings.HasSuffix(s, "-unix") {
					at = filepath.Join(dir, "redis.sock")
				}
				configuration += documentedProbe(t, s, at)
			}
			p := tt.start(t, address, dir)
			e := newConfiguredEnv(t, configuration)
			all := func(want string, event time.Time) {
				t.Helper()
				for _, s := range tt.services {
					took, err := e.awaitChange(checkUDP, s, want, event)
					if err != nil {
						t.Fatalf("%s: %v, want %q", s, err, want)
					}
					assertWithin(t, took, time.Second, "%s: the event to %q", s, want) // every, within, and some
				}
			}
			all("SERVING none", time.Now())
			all("NOT_SERVING failed", p.signal(syscall.SIGSTOP))
			for _, s := range tt.services {
				status, _ := e.landmark(0, "status", s)
				wantLine(t, status, s+` +NOT_SERVING +failed +0% +SERVING .* probe does not hold: step \d: no answer within 500 ms, expected .*`)
				wantLine(t, status, `probe +condition +failing +readiness +does not hold, checked .* ago, in .*: step \d: no answer .* +must be checked again within 1.5 s`)
			}
			for began := time.Now(); time.Since(began) < 600*time.Millisecond; time.Sleep(5 * time.Millisecond) {
				for _, s := range tt.services {
					if got, want := checkUDP(e, s), "NOT_SERVING failed"; got != want {
						t.Fatalf("%s while it is frozen: got %q, want %q", s, got, want)
					}
				}
			}
			all("SERVING none", p.signal(syscall.SIGCONT))
			status, _ := e.landmark(0, "status", tt.services[0])
			wantLine(t, status, `probe +condition +ok +readiness +holds, checked .* ago, in .*`)
			all("NOT_SERVING failed", p.kill())
		})
	}
}

// Neither an open port, nor a bound one, nor a wrong answer makes a service SERVING.
func TestProbeNeedsTheRightAnswer(t *testing.T) {
	parallel(t)
	silent := nettest.ServeTCP(t, "127.0.0.1:0", func(c net.Conn) {
		for b := make([]byte, 99); ; {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	})
	wrong := nettest.ServeTCP(t, "127.0.0.1:0", func(c net.Conn) {
		fmt.Fprint(c, "200 SERVING VERSION +PONG\r\n")
		c.Read(make([]byte, 99))
	})
	full, err := net.Listen("tcp", "127.0.0.1:0") // accepts nothing
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0") // reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	const steps = ", every: 100ms, within: 200ms, steps: [{send: \"version\\r\\n\"}, {expect: VERSION}]}}\n"
	e := newConfiguredEnv(t, "services:\n"+
		"  silent: {instances: none, probe: {connect: \""+silent+"\""+steps+
		"  wrong: {instances: none, probe: {connect: \""+wrong+"\""+steps+
		"  full: {instances: none, probe: {connect: \""+full.Addr().String()+"\""+steps+
		"  deaf: {instances: none, probe: {udp: \""+deaf.LocalAddr().String()+"\""+steps)
	services := []string{"silent", "wrong", "full", "deaf", ""}
	for _, s := range services {
		e.await(checkUDP, s, "NOT_SERVING failed")
	}
	for began := time.Now(); time.Since(began) < time.Second; time.Sleep(5 * time.Millisecond) {
		for _, s := range services {
			if got := checkUDP(e, s); got != "NOT_SERVING failed" {
				t.Fatalf("%q: got %q", s, got)
			}
		}
	}
	status, _ := e.landmark(0, "status", "wrong")
	wantLine(t, status, `wrong .*`+regexp.QuoteMeta(`step 2: received "200 SERVING VERSION +PONG\r\n", expected "VERSION"`))
}

// No first answer after a pause or a restart of landmarkd rests on an old check: it is
// about the program as it is.
func TestProbeAfterPauseAndRestart(t *testing.T) {
	parallel(t)
	address := freeAddress(t)
	server := memcached(t, address)
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, file, "services:\n"+documentedProbe(t, "memcached", address))
	e := newEnv(t, "-config", file)
	e.await(checkUDP, "memcached", "SERVING none")
	for _, frozen := range []bool{true, false, true} {
		e.sidecar.signal(syscall.SIGSTOP)
		if frozen {
			server.signal(syscall.SIGSTOP)
		}
		time.Sleep(300 * time.Millisecond) // longer than every, and shorter than a result is valid
		e.sidecar.signal(syscall.SIGCONT)
		want := "SERVING none"
		if frozen {
			want = "NOT_SERVING failed"
		}
		if got := checkUDP(e, "memcached"); got != want {
			t.Errorf("first answer after a pause, frozen %v: got %q, want %q", frozen, got, want)
		}
		server.signal(syscall.SIGCONT)
		e.await(checkUDP, "memcached", "SERVING none")
	}
	e.sidecar.kill()
	e.start("-config", file)
	if got, want := checkUDP(e, "memcached"), "SERVING none"; got != want {
		t.Errorf("first answer after a restart: got %q, want %q", got, want)
	}
	server.signal(syscall.SIGSTOP)
	e.sidecar.kill()
	e.start("-config", file)
	if got, want := checkUDP(e, "memcached"), "NOT_SERVING failed"; got != want {
		t.Errorf("first answer after a restart, frozen: got %q, want %q", got, want)
	}
	server.signal(syscall.SIGCONT)
	e.await(checkUDP, "memcached", "SERVING none")

	// Another check that succeeds takes effect without a gap.
	loaded := e.sidecar.count("configuration loaded")
	write(t, file, strings.NewReplacer("version", "get landmark", "VERSION ", "END\\r\\n").Replace("services:\n"+documentedProbe(t, "memcached", address)))
	e.sidecar.signal(syscall.SIGHUP)
	for e.sidecar.count("configuration loaded") == loaded {
		if got, want := checkUDP(e, "memcached"), "SERVING none"; got != want {
			t.Fatalf("during a reload: got %q, want %q", got, want)
		}
	}
	if got, want := checkUDP(e, "memcached"), "SERVING none"; got != want {
		t.Errorf("after a reload: got %q, want %q", got, want)
	}

	// A new check counts at once; the old one's result does not stand for it.
	write(t, file, strings.Replace("services:\n"+documentedProbe(t, "memcached", address), "VERSION ", "VERSIONS", 1))
	e.sidecar.signal(syscall.SIGHUP)
	e.await(checkUDP, "memcached", "NOT_SERVING failed")
}

// Beside an agent, both must be healthy.
func TestProbeBesideAgent(t *testing.T) {
	parallel(t)
	address := freeAddress(t)
	server := memcached(t, address)
	e := newConfiguredEnv(t, strings.Replace("services:\n"+documentedProbe(t, "memcached", address), "  memcached:\n    instances: none\n", "  epg:\n", 1))
	e.await(checkUDP, "epg", "NOT_SERVING unreported")
	epgd, _ := e.epg("500ms")
	e.await(checkUDP, "epg", "SERVING none")
	server.signal(syscall.SIGSTOP)
	e.await(checkUDP, "epg", "NOT_SERVING failed")
	if got, want := checkUDP(e, "epg-liveness"), "SERVING none"; got != want {
		t.Errorf("liveness: got %q, want %q", got, want)
	}
	server.signal(syscall.SIGCONT)
	e.await(checkUDP, "epg", "SERVING none")
	epgd.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
}

// Beside sd_notify, both must be healthy: the probe finds a main loop that hangs in a
// process that runs, and the notify socket the end of the process.
func TestProbeBesideNotify(t *testing.T) {
	parallel(t)
	path, dir := debian(t, "redis-server", "redis-server"), t.TempDir()
	socket := filepath.Join(dir, "redis.sock")
	_, lines, _ := strings.Cut(documentedProbe(t, "redis-unix", socket), "    instances: none\n")
	e := newNotifyEnv(t, lines)
	e.await(checkUDP, "app", "NOT_SERVING unreported")
	server := prepare(t, path, "--supervised", "systemd", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir, "--enable-debug-command", "yes")
	server.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+e.notifySocket)
	server.start()
	e.await(checkUDP, "app", "SERVING none")
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "DEBUG SLEEP 2\r\n") // its main loop sleeps
	e.await(checkUDP, "app", "NOT_SERVING failed")
	e.await(checkUDP, "app", "SERVING none")
	server.signal(syscall.SIGSTOP)
	e.await(checkUDP, "app", "NOT_SERVING stale")
	server.signal(syscall.SIGCONT)
	e.await(checkUDP, "app", "SERVING none")
	server.kill()
	e.await(checkUDP, "app", "NOT_SERVING lost")
}

// A DNS server that is flooded serves as long as it reads, and not while it is frozen
// with a full queue.
func TestHostDetectsStuckUDPServer(t *testing.T) {
	parallel(t)
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	e := newConfiguredEnv(t, "services:\n  epg:\n    instances: none\n    host:\n"+
		"      port: {bound: "+port+"}\n      receive queue: {receive_queue: \""+address+"\", within: 2s}\n")
	e.await(checkUDP, "epg", "NOT_SERVING failed")
	server := dnsmasq(t, address)
	e.await(checkUDP, "epg", "SERVING none")
	client, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for query := []byte("\x4c\x4d\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01"); ; {
			select {
			case <-stop:
				return
			default:
				for range 20 { // then the server has some CPU time, too
					client.Write(query)
				}
				time.Sleep(time.Millisecond)
			}
		}
	}()
	defer func() { close(stop); <-stopped; client.Close() }()
	for began := time.Now(); time.Since(began) < 3*time.Second; time.Sleep(5 * time.Millisecond) {
		if got, want := checkUDP(e, "epg"), "SERVING none"; got != want {
			t.Fatalf("a busy server: got %q, want %q", got, want)
		}
	}
	server.signal(syscall.SIGSTOP)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	status, _ := e.landmark(0, "status", "epg")
	wantLine(t, status, `epg +NOT_SERVING +stalled .* receive queue: \d+ bytes wait on UDP `+regexp.QuoteMeta(address)+`, and no datagram has been read for .*, allowed 2 s`)
	wantLine(t, status, `port +condition +ok +readiness +holds, .*`)
	if got, want := checkUDP(e, "epg-liveness"), "NOT_SERVING stalled"; got != want {
		t.Errorf("liveness of a frozen server: got %q, want %q", got, want)
	}
	server.signal(syscall.SIGCONT)
	e.await(checkUDP, "epg", "SERVING none")
	server.kill()
	e.await(checkUDP, "epg", "NOT_SERVING failed")
}
