//go:build e2e

package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sessionsOf returns the sessions that a snippet prints for landmarkd's configuration.
// On a slow machine the peers must not miss packets, so the times are longer.
func sessionsOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var sessions []string
	for line := range strings.Lines(string(text)) {
		if session, ok := strings.CutPrefix(line, "#     - {"); ok {
			sessions = append(sessions, "- {interval: 2s, multiplier: 100, "+session)
		}
	}
	return strings.Join(sessions, "")
}

// routers are the flags of snippets for the two ends of a link.
var routers = map[string]struct{ line, router, server string }{
	"IPv4": {onRouter, "192.0.2.1", "192.0.2.2"},
	"IPv6": {onRouterIPv6, "2001:db8::1", "2001:db8::2"},
}

// BIRD with the snippet has the route while the service serves.
func TestSnippetBIRDFollows(t *testing.T) {
	parallel(t)
	debian(t, "bird", "bird2")
	for name, r := range routers {
		t.Run(name, func(t *testing.T) {
			parallel(t)
			link, server := newLink(t)
			path := snippet(t, "bird -service epg"+r.line)
			routerFollows(server, r.router, r.server, sessionsOf(t, path), func() router { return startBIRD(link, path) })
		})
	}
}

// frr is FRR with its own state directory, away from that of the host's FRR.
type frr struct {
	*process // bfdd
	dir      string
}

// startFRR starts FRR's zebra and bfdd in the namespace. The file has the whole
// configuration of bfdd, except the logging of packets that it discards.
func startFRR(n *network, path string) *frr {
	t := n.t
	t.Helper()
	zebra, bfdd := debian(t, "/usr/lib/frr/zebra", "frr"), debian(t, "/usr/lib/frr/bfdd", "frr")
	// The daemons become the user frr, who cannot enter t.TempDir.
	dir, err := os.MkdirTemp("", "landmark-frr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	owner, err := user.Lookup("frr")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	if err := os.Chown(dir, uid, -1); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	conf, socket := filepath.Join(dir, "bfdd.conf"), filepath.Join(dir, "zserv.api")
	write(t, conf, "debug bfd network\n"+string(text))
	daemon := func(program, conf string, args ...string) *process {
		// A daemon that is killed leaves files in /var/tmp. The log goes to standard
		// output, and process reads standard error.
		return n.start("unshare", append([]string{"--mount", "sh", "-c", `mount -t tmpfs tmpfs /var/tmp && exec "$@" >&2`, "sh", program,
			"--config_file", conf, "--vty_socket", dir, "--vty_port", "0", "--socket", socket,
			"--pid_file", filepath.Join(dir, filepath.Base(program)+".pid"), "--log", "stdout"}, args...)...)
	}
	daemon(zebra, os.DevNull)
	for begun := time.Now(); ; time.Sleep(checkInterval) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		if time.Since(begun) > testTimeout {
			t.Fatalf("zebra did not open its socket within %v", testTimeout)
		}
	}
	f := &frr{dir: dir, process: daemon(bfdd, conf, "--bfdctl", filepath.Join(dir, "bfdd.sock"))}
	f.await(false, "the start of FRR", time.Now())
	return f
}

// peer is what bfdd shows of a session.
type peer struct {
	Status string
	Downs  int `json:"session-down"`
}

func (p peer) up() bool { return p.Status == "up" }

// peer returns the only session, once there is one.
func (f *frr) peer(show string) peer {
	f.t.Helper()
	for begun := time.Now(); ; time.Sleep(checkInterval) {
		out, err := exec.Command(debian(f.t, "vtysh", "frr"), "--vty_socket", f.dir, "-c", "show bfd peers "+show+" json").Output()
		var peers []peer
		if err == nil && json.Unmarshal(out, &peers) == nil && len(peers) == 1 {
			return peers[0]
		}
		if time.Since(begun) > testTimeout {
			f.t.Fatalf("show bfd peers %s json: got %s, %v, want one peer", show, out, err)
		}
	}
}

// await implements router.
func (f *frr) await(want bool, what string, since time.Time) {
	f.t.Helper()
	for f.peer("").up() != want {
		if time.Since(since) > testTimeout {
			f.t.Fatalf("the session is up: %v, want %v", !want, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
	f.t.Logf("the session is up: %-5v %v after %s", want, time.Since(since).Round(time.Millisecond), what)
}

// downs implements router.
func (f *frr) downs() int { return f.peer("counters").Downs }

// FRR with the snippet has the session up while the service serves. It discards none of
// landmarkd's packets, except that FRR ignores a Down without its discriminator. That is
// the first packet of a landmarkd that finds the program hung.
func TestSnippetFRRFollows(t *testing.T) {
	parallel(t)
	debian(t, "vtysh", "frr")
	for name, r := range routers {
		t.Run(name, func(t *testing.T) {
			parallel(t)
			link, server := newLink(t)
			path := snippet(t, "frr -service epg"+r.line)
			var f *frr
			routerFollows(server, r.router, r.server, sessionsOf(t, path), func() router {
				f = startFRR(link, path)
				return f
			})
			if all, expected := f.count("control-packet: "), f.count("'remote discriminator' is zero"); all != expected {
				t.Errorf("FRR discarded %d packets for another reason, want none", all-expected)
			}
		})
	}
}
