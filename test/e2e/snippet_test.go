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
)

// snippet writes the output of landmark snippet for a command line to a file, and
// returns the path.
func snippet(t *testing.T, line string) string {
	t.Helper()
	code, out, errs := runProgram(t, program("landmark"), append([]string{"snippet"}, strings.Fields(line)...)...)
	if code != 0 || errs != "" {
		t.Fatalf("landmark snippet %s: got exit code %d, %s, want 0", line, code, errs)
	}
	path := filepath.Join(t.TempDir(), "snippet")
	write(t, path, out)
	return path
}

// debian returns the path of a program from a Debian package. If it is missing,
// the test is skipped, or fails under CI.
func debian(t *testing.T, name, pkg string) string {
	t.Helper()
	// Not every user has /usr/sbin in the PATH.
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err == nil {
		return path
	}
	remedy := name + " is missing: sudo apt-get install -y --no-install-recommends " + pkg
	if os.Getenv("CI") != "" {
		t.Fatal(remedy)
	}
	t.Skip(remedy)
	return ""
}

// portOf returns the port of an address.
func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

const (
	twoServers = " -virtual 192.0.2.80:5400 -real 198.51.100.11:5400 -real 198.51.100.12:5400"
	overIPv6   = " -virtual [2001:db8::80]:5400 -real [2001:db8:1::11]:5400 -real [2001:db8:1::12]:5400"

	// The ends of a link are those of connectNetworks.
	onRouter     = " -virtual 203.0.113.80 -real 192.0.2.2 -router 192.0.2.1"
	onRouterIPv6 = " -virtual 2001:db8:1::80 -real 2001:db8::2 -router 2001:db8::1"
)

// manyServers returns the flags of n more real servers.
func manyServers(n int) string {
	var flags strings.Builder
	for i := range n {
		fmt.Fprintf(&flags, " -real 203.0.113.%d:5400", i+1)
	}
	return flags.String()
}

// snippets are the command lines whose snippets must be valid, by program.
var snippets = map[string][]string{
	"keepalived": {
		twoServers, overIPv6,
		twoServers + " -check misc -check-path /bin/true",
		overIPv6 + " -check misc -check-path /bin/true -weight 100 -persistence 300",
		twoServers + " -check file",
		overIPv6 + " -check tcp -gate 15400 -persistence 300",
		overIPv6 + " -check file -weight 253 -forward DR -scheduler wlc -interval 10ms -patience 100ms",
		twoServers + " -check bfd -director 198.51.100.1",
		overIPv6 + " -check bfd -director 2001:db8:1::1 -forward DR",
		twoServers + " -forward TUN -persistence 300",
		twoServers + manyServers(200) + " -check file -weight 100",
	},
	"ldirectord": {
		twoServers, overIPv6,
		twoServers + " -forward gate -weight 100 -persistence 300",
		overIPv6 + " -check simpletcp -quiescent=no -forward ipip -interval 5s -patience 1m",
	},
	"haproxy": {
		twoServers, overIPv6,
		twoServers + " -check tcp -interval 10ms -patience 1h",
		overIPv6 + " -check agent",
	},
	"bird": {onRouter, onRouterIPv6, onRouter + " -real 192.0.2.3"},
	"frr":  {onRouter, onRouterIPv6, onRouter + " -real 192.0.2.3"},
	"prometheus": {
		" -part blackbox",
		" -part scrape -real 198.51.100.11:5400 -real [2001:db8:1::12]:5400",
		" -part scrape -real 198.51.100.11:5400 -interval 1s -exporter [2001:db8::1]:9115",
		" -part rules",
	},
}

// checks run each program's own check of a file. They return whether it accepts
// the file, and its output.
var checks = map[string]func(t *testing.T, line, path string) (ok bool, said string){
	"keepalived": func(t *testing.T, _, path string) (bool, string) {
		code, out, errs := runProgram(t, debian(t, "keepalived", "keepalived"), "--config-test", "--use-file", path)
		return code == 0 && out+errs == "", out + errs
	},
	// The status of an ldirectord that does not run is 3. It reads the file first.
	"ldirectord": func(t *testing.T, _, path string) (bool, string) {
		code, out, errs := runProgram(t, debian(t, "ldirectord", "ldirectord"), path, "status")
		return code == 3 && errs == "", out + errs
	},
	"haproxy": func(t *testing.T, _, path string) (bool, string) {
		code, out, errs := runProgram(t, debian(t, "haproxy", "haproxy"), "-c", "-f", path)
		return code == 0 && !strings.Contains(out+errs, "WARNING"), out + errs
	},
	"bird": func(t *testing.T, _, path string) (bool, string) {
		code, out, errs := runProgram(t, debian(t, "bird", "bird2"), "-p", "-c", path)
		return code == 0 && out+errs == "", out + errs
	},
	// Only root may read the configuration of vtysh itself.
	"frr": func(t *testing.T, _, path string) (bool, string) {
		vtysh := debian(t, "vtysh", "frr")
		if os.Geteuid() != 0 {
			t.Skip("only root can run vtysh")
		}
		code, out, errs := runProgram(t, vtysh, "--dryrun", "--inputfile", path)
		return code == 0 && out+errs == "", out + errs
	},
	"prometheus": func(t *testing.T, line, path string) (bool, string) {
		name, args := debian(t, "promtool", "prometheus"), []string{"check", "config", path}
		switch {
		case strings.Contains(line, "rules"):
			args[1] = "rules"
		case strings.Contains(line, "blackbox"):
			name = debian(t, "prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
			args = []string{"--config.check", "--config.file=" + path}
		}
		code, out, errs := runProgram(t, name, args...)
		return code == 0, out + errs
	},
}

// Every program accepts the snippets for it, also with the longest service name,
// and rejects them with an invalid line.
func TestSnippetsAreValidConfiguration(t *testing.T) {
	parallel(t)
	longest := "1.5_eu-" + strings.Repeat("x", 83) // a service name
	for name, lines := range snippets {
		t.Run(name, func(t *testing.T) {
			for _, line := range append(lines, lines[0]+" -service "+longest) {
				if !strings.Contains(line, "-service") {
					line += " -service epg"
				}
				path := snippet(t, name+line)
				if ok, said := checks[name](t, line, path); !ok {
					t.Errorf("%s: got an error of %s, want it accepted: %s", line, name, said)
				}
			}
			path := snippet(t, name+lines[0]+" -service epg")
			spoil(t, path)
			if ok, _ := checks[name](t, lines[0], path); ok {
				t.Errorf("%s with an invalid line: %s accepted it, want an error", lines[0], name)
			}
		})
	}
}

// spoil appends an invalid line to a file.
func spoil(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimRight(string(text), "\n")+"\n", "\n")
	last := lines[len(lines)-2]
	indent := last[:len(last)-len(strings.TrimLeft(last, " \t"))]
	write(t, path, string(text)+indent+"spoilt: [\n")
}

// The MISC_CHECK that the snippet for keepalived runs reports a hang and a drain.
func TestSnippetMiscCheckRuns(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("500ms")
	path := snippet(t, "keepalived -service epg -virtual 127.0.0.1:80 -real 127.0.0.1:81 -check misc -weight 100 -check-path "+
		program("landmark-check")+" -monitor "+portOf(t, e.monitor))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`misc_path "(.*)"`).FindSubmatch(text)
	if line == nil {
		t.Fatalf("got\n%s\nwant a misc_path in it", text)
	}
	command := strings.Fields(string(line[1]))
	want := func(exit int) {
		t.Helper()
		if code, out, errs := runProgram(t, command[0], command[1:]...); code != exit {
			t.Errorf("exit code of %q: got %d, want %d: %s%s", command, code, exit, out, errs)
		}
	}
	want(0)
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	want(1)
	server.signal(syscall.SIGUSR2)
	e.await(checkUDP, "epg", "SERVING none")
	e.landmark(0, "drain", "-admin-socket", e.adminSocket(), "epg")
	want(2)
}
