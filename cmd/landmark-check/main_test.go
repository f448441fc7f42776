package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/nettest"
	"github.com/landmark-health/landmark/lmp"
)

// program is the path of the program under test.
var program string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "landmark-check")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "landmark-check")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v1.2.3-test", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released: it starts faster
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// result is the result of a run of the program.
type result struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

// execute runs the program at path, or a link to it.
func execute(t *testing.T, path string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(began)}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return r
}

// expect fails the test unless r has that exit code and that one line on stdout. A line
// that ends in ... is the beginning of the line.
func expect(t *testing.T, r result, code int, line string) {
	t.Helper()
	start, isStart := strings.CutSuffix(line, "...")
	if r.code != code || r.stderr != "" || r.stdout != line+"\n" && (!isStart || !strings.HasPrefix(r.stdout, start)) {
		t.Errorf("exit %d, stdout %q, stderr %q; want exit %d and %q", r.code, r.stdout, r.stderr, code, line)
	}
	if strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("stdout %q is not one line", r.stdout)
	}
}

func TestAnswers(t *testing.T) {
	s := new(server)
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		for _, network := range []string{"udp", "tcp"} {
			var address string
			if network == "udp" {
				address = nettest.ServeUDP(t, host+":0", s.reply)
			} else {
				address = nettest.ServeTCP(t, host+":0", s.stream)
			}
			for _, tt := range []struct {
				service          string
				exec, keepalived int
				weighted         int // of 50
				line             string
			}{
				{"epg", 0, 0, 0, "epg: SERVING"},
				{"degraded", 0, 0, 17, "degraded: SERVING"},
				{"stalled", 4, 1, 1, "stalled: NOT_SERVING stalled"},
				{"draining", 4, 2, 2, "draining: NOT_SERVING draining"},
				{"undecided", 4, 1, 1, "undecided: UNKNOWN"},
				{"future", 4, 1, 1, "future: STATUS_9 cause 42"},
				{"unknown", 3, 1, 1, "unknown: SERVICE_UNKNOWN"},
				{"", 3, 1, 1, "all services: SERVICE_UNKNOWN"},
			} {
				t.Run(network+host+tt.service, func(t *testing.T) {
					args := []string{"-addr", address, "-" + network, "-service", tt.service, "-timeout", "20s"}
					expect(t, execute(t, program, args...), tt.exec, tt.line)
					expect(t, execute(t, program, append(args, "-as", "exec")...), tt.exec, tt.line)
					expect(t, execute(t, program, append(args, "-as", "keepalived")...), tt.keepalived, tt.line)
					expect(t, execute(t, program, append(args, "-as", "keepalived", "-weight", "50")...), tt.weighted, tt.line)
				})
			}
		}
	}
}

func TestHostNames(t *testing.T) {
	address := nettest.ServeTCP(t, "127.0.0.1:0", new(server).stream)
	_, port, _ := net.SplitHostPort(address)
	expect(t, execute(t, program, "-addr", "localhost:"+port, "-tcp", "-service", "epg", "-timeout", "20s"), 0, "epg: SERVING")
}

func TestMaxAge(t *testing.T) {
	address := nettest.ServeUDP(t, "127.0.0.1:0", new(server).reply)
	expect(t, execute(t, program, "-addr", address, "-service", "aged", "-max-age", "250ms", "-timeout", "20s"), 0, "aged: SERVING")
	expect(t, execute(t, program, "-addr", address, "-service", "aged", "-timeout", "20s"), 3, "aged: SERVICE_UNKNOWN")
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, two := "1:"+strings.Repeat("11", 16)+"\n", "2:"+strings.Repeat("22", 16)+"\n"
	onlyOne, both := file("one", 0o600, one), file("both", 0o600, two+one)
	keys, err := lmp.ReadKeys(onlyOne)
	if err != nil {
		t.Fatal(err)
	}
	withKeys, open := &server{keys: keys}, new(server)
	udp, tcp := nettest.ServeUDP(t, "127.0.0.1:0", withKeys.reply), nettest.ServeTCP(t, "127.0.0.1:0", withKeys.stream)
	_, tcpPort, _ := net.SplitHostPort(tcp)
	_, udpPort, _ := net.SplitHostPort(udp)
	openUDP := nettest.ServeUDP(t, "127.0.0.1:0", open.reply)

	for _, tt := range []struct {
		args []string
		code int
		line string
	}{
		{[]string{"-addr", udp, "-key-file", onlyOne, "-timeout", "20s"}, 0, "epg: SERVING"},
		{[]string{"-addr", tcp, "-tcp", "-key-file", onlyOne, "-timeout", "20s"}, 0, "epg: SERVING"},
		// The first key of the file is not the server's.
		{[]string{"-addr", tcp, "-tcp", "-key-file", both, "-timeout", "20s"}, 3, "epg: checking " + tcp + " over tcp: the server closed the connection without an answer; is port " + tcpPort + " landmarkd's -monitor, and -key-file one of its -monitor-keys?"},
		{[]string{"-addr", tcp, "-tcp", "-timeout", "20s"}, 3, "epg: checking " + tcp + "..."},
		{[]string{"-addr", udp, "-timeout", "100ms"}, 2, "epg: checking " + udp + " over udp: no answer in time; is landmarkd running on 127.0.0.1, without -monitor-keys, and does the network let port " + udpPort + " through?"},
		// A server without keys does not sign.
		{[]string{"-addr", openUDP, "-key-file", onlyOne, "-timeout", "500ms"}, 2, "epg: checking " + openUDP + " over udp: no answer in time: not authenticated: the frame is not signed; is -key-file one of landmarkd's -monitor-keys?"},
	} {
		expect(t, execute(t, program, append(tt.args, "-service", "epg")...), tt.code, tt.line)
	}

	badArguments(t, "run: chmod 600", "-addr", udp, "-key-file", file("public", 0o644, one))
	badArguments(t, "line 1", "-addr", udp, "-key-file", file("broken", 0o600, "1"))
	badArguments(t, "no such file", "-addr", udp, "-key-file", filepath.Join(dir, "none"))
}

func TestErrorsBeforeDeadline(t *testing.T) {
	refusing := nettest.ServeTCP(t, "127.0.0.1:0", func(net.Conn) {})
	http := nettest.ServeTCP(t, "127.0.0.1:0", func(conn net.Conn) {
		conn.Read(make([]byte, 1500))
		conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
	})
	for _, tt := range []struct {
		address          string
		exec, keepalived int
	}{
		{refusing, 3, 1},
		{http, 2, 1},
	} {
		args := []string{"-addr", tt.address, "-tcp", "-service", "epg", "-timeout", "20s", "-as"}
		r := execute(t, program, append(args, "exec")...)
		expect(t, r, tt.exec, "epg: ...")
		if r.took > 10*time.Second {
			t.Errorf("%s took %v", tt.address, r.took)
		}
		expect(t, execute(t, program, append(args, "keepalived")...), tt.keepalived, "epg: ...")
	}
}

// badArguments runs the program and wants exit code 1 and one line on stderr with the
// message.
func badArguments(t *testing.T, message string, args ...string) {
	t.Helper()
	r := execute(t, program, args...)
	if r.code != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, "landmark-check: ") ||
		strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, message) {
		t.Errorf("%q: exit %d, stdout %q, stderr %q; want exit 1 and one line with %q", args, r.code, r.stdout, r.stderr, message)
	}
}

func TestBadArguments(t *testing.T) {
	const addr = "-addr=127.0.0.1:19533"
	badArguments(t, "-addr", "-addr", "")
	badArguments(t, "-addr", "-addr", "", "-as", "keepalived")
	badArguments(t, "-addr", "-addr", "127.0.0.1")
	badArguments(t, "-addr", "-addr", "127.0.0.1:")
	badArguments(t, "-addr", "-addr", "2001:db8::7")
	badArguments(t, "not defined: -no", addr, "-no")
	badArguments(t, `unexpected argument "epg"`, addr, "epg")
	badArguments(t, "-timeout", addr, "-timeout", "1")
	badArguments(t, "-timeout", addr, "-timeout", "0s")
	badArguments(t, "-timeout", addr, "-timeout", "-1s")
	badArguments(t, "-max-age", addr, "-max-age", "-1ms")
	badArguments(t, "-udp and -tcp", addr, "-udp", "-tcp")
	badArguments(t, "-key-file", addr, "-key-file", "")
	badArguments(t, `"zabbix"`, addr, "-as", "zabbix")
	badArguments(t, "-weight is keepalived's", addr, "-weight", "10")
	badArguments(t, "-weight is keepalived's", addr, "-weight", "10", "-as", "exec")
	badArguments(t, "-weight 0", addr, "-weight", "0", "-as", "keepalived")
	badArguments(t, "-weight 254", addr, "-weight", "254", "-as", "keepalived")
	badArguments(t, "-version", addr, "-version")
	badArguments(t, "-service", addr, "-service", strings.Repeat("s", 256))
}

func TestHelpExitsWithError(t *testing.T) {
	for _, help := range []string{"-h", "-help", "--help"} {
		r := execute(t, program, help)
		if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "-max-age") || !strings.Contains(r.stderr, "-h exits with") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want exit 1 and the flags on stderr", help, r.code, r.stdout, r.stderr)
		}
	}
}

func TestVersion(t *testing.T) {
	expect(t, execute(t, program, "-version"), 0, "landmark-check v1.2.3-test")
}
