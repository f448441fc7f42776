//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A program with a bad command line prints one line to standard error, which
// says what to do, and exits with the documented code.
func TestBadCommandLineFails(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	same := freeAddress(t)
	regular := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(regular, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		program string
		args    string
		code    int
		says    string
	}{
		{"landmarkd", "-no-such-flag", 2, "no-such-flag"},
		{"landmarkd", "epg", 2, "unexpected argument"},
		{"landmarkd", "-monitor-keys /nonexistent", 2, "-monitor-keys: reading keys: open /nonexistent"},
		{"landmarkd", "-monitor-keys=", 2, "-monitor-keys is empty: give the path of a key file"},
		{"landmarkd", "-config /nonexistent", 2, "-config /nonexistent: no such file or directory; give the path of a YAML file"},
		{"landmarkd", "-config=", 2, "-config is empty: give the path of a YAML file"},
		{"landmarkd", "-web-config=", 2, "-web-config is empty: give the path of a YAML file"},
		{"landmarkd", "-web-config /nonexistent", 2, "-web-config /nonexistent: no such file or directory; give the path of a YAML file"},
		{"landmarkd", "-agent-socket= -monitor= -grpc= -http=", 2, "every listener is off, so landmarkd would get no report and no request"},
		{"landmarkd", "-http= -web-config " + regular, 2, "-web-config has no effect while -http is off"},
		{"landmarkd", "-check-config", 2, "-check-config needs the file to check: give -config FILE or -web-config FILE"},
		{"landmarkd", "-drain-on-stop -1s", 2, "-drain-on-stop -1s: give how long to drain"},
		{"landmarkd", "-drain-on-stop 5", 2, `invalid value "5" for flag -drain-on-stop: write it as 800ms or 3s`},
		{"landmarkd", "-agent-socket= -grpc=unix:", 1, "-grpc unix: the path is empty"},
		{"landmarkd", "-monitor-keys " + regular, 2, "chmod 600"},
		{"landmarkd", "-agent-socket " + e.socket, 1, "another landmarkd is running"},
		{"landmarkd", "-agent-socket " + regular, 1, "is not a socket"},
		{"landmarkd", "-agent-socket= -grpc= -monitor " + e.monitor, 1, "address already in use"},
		{"landmarkd", "-agent-socket= -monitor= -grpc " + e.grpc, 1, "address already in use"},
		{"landmarkd", "-agent-socket= -grpc= -monitor nonsense", 1, "nonsense"},
		{"landmarkd", "-agent-socket= -grpc= -monitor= -line " + e.grpc, 1, "-line " + e.grpc + ": cannot listen on TCP: address already in use; stop the program that listens there"},
		{"landmarkd", "-agent-socket= -grpc= -monitor= -line nonsense", 1, "nonsense"},
		{"landmarkd", "-agent-socket= -grpc= -monitor= -http " + e.http, 1, "-http " + e.http + ": cannot listen on TCP: address already in use; stop the program that listens there"},
		{"landmarkd", "-agent-socket= -grpc= -monitor= -http " + same + " -line " + same, 1, "-http " + same + ": has the port of landmarkd's own -line " + same + ": choose another port"},
		{"landmark-check", "-weight 10", 1, "-as keepalived"},
		{"landmark-check", "-no-such-flag", 1, "no-such-flag"},
		{"landmark-check", "-timeout 1", 1, `invalid value "1" for flag -timeout: write it as 800ms or 3s`},
		{"landmark-check", "-udp -tcp", 1, "-udp"},
		{"epgd", "-no-such-flag", 2, "no-such-flag"},
		{"epgd", "-service epg-liveness -listen 127.0.0.1:0", 2, "epg-liveness"},
		{"epgd", "-within 0s -listen 127.0.0.1:0", 2, "within"},
	}
	for _, test := range tests {
		t.Run(test.program+" "+test.args, func(t *testing.T) {
			code, stdout, stderr := runProgram(t, program(test.program), strings.Fields(test.args)...)
			if code != test.code {
				t.Errorf("exit code: got %d, want %d", code, test.code)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
				t.Errorf("standard error: got %q, want one line", stderr)
			}
			if !strings.Contains(stderr, test.says) {
				t.Errorf("standard error: got %q, want text with %q", stderr, test.says)
			}
			if stdout != "" {
				t.Errorf("standard output: got %q, want nothing", stdout)
			}
		})
	}
	if content, err := os.ReadFile(regular); err != nil || string(content) != "precious" {
		t.Errorf("the existing file: got %q, %v, want it unchanged", content, err)
	}
	if got := checkUDP(e, ""); !strings.HasPrefix(got, "NOT_SERVING") {
		t.Errorf("the running landmarkd answers %q, want NOT_SERVING", got)
	}
}

// Every program prints its version.
func TestVersionFlag(t *testing.T) {
	for _, name := range []string{"landmarkd", "landmark-check", "epgd"} {
		code, stdout, stderr := runProgram(t, program(name), "-version")
		if code != 0 || !strings.Contains(stdout, "e2e") || stderr != "" {
			t.Errorf("%s -version: got exit code %d, %q, %q, want 0 and the version", name, code, stdout, stderr)
		}
	}
}
