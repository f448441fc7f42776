//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
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

// network is a network namespace that lasts as long as the test.
type network struct {
	t      *testing.T
	holder *process
}

// newNetwork returns a namespace without links.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{t, prepare(t, "sleep", "infinity")}
	n.holder.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	n.holder.start()
	return n
}

// enter returns the command line that runs a program in the namespace.
func (n *network) enter(program string, args ...string) []string {
	return append([]string{"-t", strconv.Itoa(n.holder.cmd.Process.Pid), "-n", program}, args...)
}

// start starts a program in the namespace.
func (n *network) start(program string, args ...string) *process {
	n.t.Helper()
	return start(n.t, "nsenter", n.enter(program, args...)...)
}

// run runs a command in the namespace.
func (n *network) run(command string) {
	n.t.Helper()
	words := strings.Fields(command)
	if out, err := exec.Command("nsenter", n.enter(words[0], words[1:]...)...).CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// connectNetworks connects two namespaces by a cable, with addresses 1 and 2 at
// its ends.
func connectNetworks(a, b *network) {
	a.t.Helper()
	a.run(fmt.Sprint("ip link add eth0 type veth peer name eth0 netns ", b.holder.cmd.Process.Pid))
	for i, n := range []*network{a, b} {
		n.run(fmt.Sprintf("ip address add 192.0.2.%d/24 dev eth0", i+1))
		n.run(fmt.Sprintf("ip -6 address add 2001:db8::%d/64 dev eth0 nodad", i+1))
		n.run("ip link set eth0 up")
		n.run("ip link set lo up")
	}
}

// epgOver starts landmarkd in a network whose BFD sessions are those of the
// configuration, a list in YAML. It returns the env, and what starts landmarkd again
// and returns when that began.
func epgOver(n *network, sessions string) (e *env, restart func() time.Time) {
	n.t.Helper()
	dir := n.t.TempDir()
	file := filepath.Join(dir, "landmarkd.yaml")
	write(n.t, file, "bfd:\n"+sessions+"\n")
	e = &env{t: n.t, socket: filepath.Join(dir, "agent.sock"), grpc: "unix:" + filepath.Join(dir, "grpc.sock")}
	restart = func() (begun time.Time) {
		if e.sidecar != nil {
			e.sidecar.kill()
		}
		begun = time.Now()
		e.sidecar = n.start(program("landmarkd"), append(e.flags(), "-config", file)...)
		e.sidecar.awaitLine("landmarkd is ready")
		return begun
	}
	return e, restart
}

// awaitSession waits until landmark status of the service, "" for all, shows the only BFD
// session as the pattern says, and checks that it is so since an instant after that
// given.
func (e *env) awaitSession(service, pattern string, since time.Time) {
	e.t.Helper()
	e.awaitStatus(service, pattern)
	type session struct{ StateAge string }
	var document struct {
		Services []struct{ BFDSessions []session }
		Checkers struct{ BFDSessions []session }
	}
	args := []string{"status", "-o", "json", service}[:3+min(1, len(service))]
	inJSON, _ := e.landmark(0, args...)
	most := time.Since(since)
	if err := json.Unmarshal([]byte(inJSON), &document); err != nil {
		e.t.Fatal(err)
	}
	sessions := document.Checkers.BFDSessions
	for _, s := range document.Services {
		sessions = append(sessions, s.BFDSessions...)
	}
	if len(sessions) != 1 {
		e.t.Fatalf("%d BFD sessions, want 1:\n%s", len(sessions), inJSON)
	}
	if age, err := time.ParseDuration(sessions[0].StateAge); err != nil || age > most {
		e.t.Errorf("BFD session %s: it is so for %v, %v, want at most %v", pattern, age, err, most)
	}
}

// router is a real router with a BFD session.
type router interface {
	// await waits until the router uses the service, or not, and logs how long that
	// is after what.
	await(want bool, what string, since time.Time)

	// downs returns how often the session went from Up to another state.
	downs() int

	// kill kills the part of the router that sends packets.
	kill() time.Time
}

// routerFollows fails unless the router follows the service: it uses it while the
// main loop of the program answers, and a restart of landmarkd and a reload are no
// events unless the program hangs meanwhile. landmark status shows the same. The
// sessions are as for epgOver, one from local to peer. startRouter starts the router.
func routerFollows(server *network, peer, local, sessions string, startRouter func() router) {
	t := server.t
	t.Helper()
	e, restart := epgOver(server, sessions)
	begun := restart()
	addresses := regexp.QuoteMeta(peer) + ` +` + regexp.QuoteMeta(local)
	up, down := addresses+` +epg +Up +\d.*`, addresses+` +epg +Down +\d.*  `
	e.awaitSession("", addresses+` +unknown: epg +Down +\d.*  no valid packet has arrived yet`, begun)
	r := startRouter()
	startProgram := func() *process {
		return start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", e.socket, "-within", "500ms")
	}
	begun = time.Now()
	epgd := startProgram()
	r.await(true, "the program's start", begun)
	e.awaitSession("epg", up, begun)

	begun = epgd.signal(syscall.SIGUSR1)
	r.await(false, "the begin of a hang, allowed 500 ms", begun)
	e.awaitSession("epg", down+"the service does not serve", begun)
	begun = epgd.signal(syscall.SIGUSR2)
	r.await(true, "the end of the hang", begun)
	e.awaitSession("epg", up, begun)

	downs := r.downs()
	begun = restart()
	e.sidecar.awaitLine("state=Up service=epg")
	e.awaitSession("epg", up, begun)
	e.sidecar.signal(syscall.SIGHUP)
	e.sidecar.awaitCount("configuration loaded", 2)
	time.Sleep(time.Second)
	r.await(true, "the restart of landmarkd", time.Now())
	if got := r.downs(); got != downs {
		t.Errorf("the restart of landmarkd took the session down %d times, want none", got-downs)
	}

	e.sidecar.kill()
	epgd.signal(syscall.SIGUSR1)
	restart()
	r.await(false, "the restart of landmarkd, during which the program hung", time.Now())
	downs = awaitDowns(t, r, downs+1)
	r.await(true, "the end of the hang", epgd.signal(syscall.SIGUSR2))

	r.await(false, "the program's death", epgd.kill())
	if got := awaitDowns(t, r, downs+1); got != downs+1 {
		t.Errorf("the session went down %d times after the program's end, want once", got-downs)
	}

	startProgram()
	r.await(true, "the program's return", time.Now())
	begun = r.kill()
	e.awaitSession("epg", down+"the peer is silent", begun)
	status, _ := e.landmark(0, "status")
	wantLine(t, status, `epg +SERVING .* by 1, 1 silent`)
}

// awaitDowns waits until the session of the router went down at least so often, and
// returns how often. A router may log it a little later than it acts.
func awaitDowns(t *testing.T, r router, least int) int {
	t.Helper()
	for since := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		got := r.downs()
		if got >= least {
			return got
		}
		if time.Since(since) > testTimeout {
			t.Fatalf("the session went down %d times, want at least %d", got, least)
		}
	}
}

// bird is a BIRD whose static route depends on a BFD session.
type bird struct {
	*process
	control string
}

// startBIRD starts BIRD in the namespace with a file that has its protocols. It waits
// until landmarkd has answered, which sends Down for a program that does not run.
func startBIRD(n *network, protocols string) *bird {
	n.t.Helper()
	dir := n.t.TempDir()
	file := filepath.Join(dir, "bird.conf")
	write(n.t, file, fmt.Sprintf(`router id 192.0.2.1;
log stderr all;
debug protocols { states, events };
protocol device { }
include %q;
`, protocols))
	b := &bird{control: filepath.Join(dir, "bird.ctl")}
	b.process = n.start(debian(n.t, "bird", "bird2"), "-f", "-c", file, "-s", b.control)
	b.awaitLine("changed state from Down to Init")
	return b
}

// hasRoute reports whether BIRD has the static route.
func (b *bird) hasRoute() bool {
	return strings.Contains(b.show("route"), "via ")
}

// show returns what BIRD shows.
func (b *bird) show(what ...string) string {
	_, out, _ := runProgram(b.t, debian(b.t, "birdc", "bird2"), append([]string{"-r", "-s", b.control, "show"}, what...)...)
	return out
}

// await implements router.
func (b *bird) await(want bool, what string, since time.Time) {
	b.t.Helper()
	for ; b.hasRoute() != want; time.Sleep(5 * time.Millisecond) {
		if time.Since(since) > testTimeout {
			b.t.Fatalf("the route is there: %v, want %v\n%s", !want, want, b.show("bfd", "sessions"))
		}
	}
	b.t.Logf("the route is there: %-5v %v after %s", want, time.Since(since).Round(time.Millisecond), what)
}

// downs implements router.
func (b *bird) downs() int { return b.count("from Up to Down") }

// newLink returns two connected networks. It skips the test unless root runs it.
func newLink(t *testing.T) (a, b *network) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a process a network of its own")
	}
	a, b = newNetwork(t), newNetwork(t)
	connectNetworks(a, b)
	return a, b
}

// A router's route follows the service over BFD, with a real BIRD: by IPv4, by IPv6,
// and authenticated.
func TestBFDWithBIRD(t *testing.T) {
	parallel(t)
	debian(t, "bird", "bird2")
	key := filepath.Join(t.TempDir(), "bfd.key")
	if err := os.WriteFile(key, []byte("7:6c616e646d61726b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ family, destination, router, server, ofBIRD, ofLandmarkd string }{
		"IPv4":          {"ipv4", "203.0.113.0/24", "192.0.2.1", "192.0.2.2", "", ""},
		"IPv6, passive": {"ipv6", "2001:db8:1::/48", "2001:db8::1", "2001:db8::2", "", "passive: true"},
		"authenticated": {"ipv4", "203.0.113.0/24", "192.0.2.1", "192.0.2.2", `authentication keyed sha1; password "landmark" { id 7; };`, "key_file: " + key},
	} {
		t.Run(name, func(t *testing.T) {
			parallel(t)
			link, server := newLink(t)
			protocols := filepath.Join(t.TempDir(), "protocols.conf")
			write(t, protocols, fmt.Sprintf(`protocol static {
	%s;
	route %s via %s bfd;
}
protocol bfd {
	interface "eth0" { interval 100 ms; idle tx interval 1 s; multiplier 100; %s };
	neighbor %s dev "eth0" local %s;
}
`, c.family, c.destination, c.server, c.ofBIRD, c.server, c.router))
			sessions := fmt.Sprintf("- {service: epg, peer: \"%s\", local: \"%s\", interval: 100ms, multiplier: 100, %s}", c.router, c.server, c.ofLandmarkd)
			routerFollows(server, c.router, c.server, sessions, func() router { return startBIRD(link, protocols) })
		})
	}
}

// keepalived's BFD instance follows the service, and a VRRP instance that tracks it
// with it.
func TestBFDWithKeepalived(t *testing.T) {
	parallel(t)
	keepalived := debian(t, "keepalived", "keepalived")
	director, server := newLink(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "keepalived.conf")
	write(t, conf, `bfd_instance rs1 {
	neighbor_ip 192.0.2.2
	source_ip 192.0.2.1
	min_rx 100
	min_tx 100
	idle_tx 1000
	multiplier 100
}
vrrp_instance epg {
	interface eth0
	virtual_router_id 1
	virtual_ipaddress {
		192.0.2.80
	}
	track_bfd {
		rs1
	}
}
`)
	e, restart := epgOver(server, "- {service: epg, peer: 192.0.2.1, local: 192.0.2.2, interval: 100ms, multiplier: 100}")
	restart()
	args := []string{"--dont-fork", "--log-console", "--log-detail", "--use-file", conf}
	for _, which := range []string{"pid", "vrrp_pid", "bfd_pid"} {
		args = append(args, "--"+which, filepath.Join(dir, which))
	}
	k := director.start(keepalived, args...)
	t.Cleanup(func() { k.terminate() }) // if it is killed, its children go on
	const up, down = "(rs1) Entering Up state", "(rs1) Entering Down state"
	epgd := start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", e.socket, "-within", "500ms")
	k.awaitCount(up, 1)

	downs := k.count(down)
	epgd.signal(syscall.SIGUSR1)
	k.awaitCount(down, downs+1)
	epgd.signal(syscall.SIGUSR2)
	k.awaitCount(up, 2)

	restart()
	e.sidecar.awaitLine("state=Up service=epg")
	epgd.terminate()
	k.awaitCount(down, downs+2)
	if got := k.count(up); got != 2 {
		t.Errorf("the session came up %d times, want 2: the restart of landmarkd was an event", got)
	}
}
