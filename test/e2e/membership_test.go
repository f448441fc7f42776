//go:build e2e

package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// membersFile is the path of landmarkd's members file.
func (e *env) membersFile() string { return filepath.Join(filepath.Dir(e.socket), "members.json") }

// awaitMembers waits until the members file contains all the words.
func (e *env) awaitMembers(words ...string) {
	e.t.Helper()
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(e.membersFile())
		missing := ""
		for _, word := range words {
			if !strings.Contains(string(b), word) {
				missing = word
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("after %v: got members file %s, %v, want %s in it", testTimeout, b, err, missing)
		}
	}
}

// instances starts an EPG server of each instance name, all of one service, and
// waits until they serve and the members file has them.
func (e *env) instances(names ...string) map[string]*process {
	e.t.Helper()
	servers := map[string]*process{}
	var quoted []string
	for _, name := range names {
		servers[name] = start(e.t, program("epgd"), "-listen", freeAddress(e.t), "-agent-socket", e.socket, "-instance", name, "-within", defaultWithin)
		quoted = append(quoted, `"`+name+`"`)
	}
	e.awaitMembers(quoted...)
	e.await(checkUDP, "epg", "SERVING none")
	return servers
}

// countServing checks by LMP over UDP and TCP without pause until it is stopped.
// stop returns how many answers there were, and how many of them were SERVING.
func (e *env) countServing() (stop func() (answers, serving int)) {
	ctx, cancel := context.WithCancel(e.t.Context())
	var mu sync.Mutex
	var answers, serving int
	count := func(a lmp.Answer) {
		mu.Lock()
		defer mu.Unlock()
		answers++
		if a.Status == lmp.StatusServing {
			serving++
		}
	}
	var running sync.WaitGroup
	for _, network := range []string{"udp", "tcp"} {
		running.Go(func() {
			for ctx.Err() == nil {
				checking, cancel := context.WithTimeout(ctx, 2*time.Second)
				a, err := probe.Do(checking, probe.Request{Network: network, Address: e.monitor, Kind: lmp.KindCheck, Service: "epg"})
				cancel()
				if err == nil {
					count(a)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	return func() (int, int) {
		cancel()
		running.Wait()
		return answers, serving
	}
}

// A process that failed before a restart of the sidecar, or ended meanwhile, is
// not forgotten: no answer is SERVING.
func TestRestartReportsMissingProcess(t *testing.T) {
	parallel(t)
	for _, tt := range []struct {
		what          string
		before, after syscall.Signal // to one of three processes, before landmarkd is killed and then
		want          string
	}{
		{"hung", syscall.SIGUSR1, 0, "NOT_SERVING stalled"},
		{"frozen", syscall.SIGSTOP, 0, "NOT_SERVING lost"},
		{"frozen meanwhile", 0, syscall.SIGSTOP, "NOT_SERVING lost"},
		{"killed", syscall.SIGKILL, 0, "NOT_SERVING lost"},
		{"killed meanwhile", 0, syscall.SIGKILL, "NOT_SERVING lost"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			parallel(t)
			e := newEnv(t)
			servers := e.instances("a", "b", "c")
			if tt.before != 0 {
				servers["b"].signal(tt.before)
				e.awaitAny(checkUDP, "epg", "NOT_SERVING stalled", "NOT_SERVING stale", "NOT_SERVING lost")
			}
			stop := e.countServing()
			for range 3 {
				e.sidecar.kill()
				if tt.after != 0 {
					servers["b"].signal(tt.after)
					if tt.after == syscall.SIGKILL {
						<-servers["b"].exited
					}
				}
				e.start()
				e.await(checkUDP, "epg", tt.want)
			}
			if answers, serving := stop(); answers == 0 || tt.before != 0 && serving > 0 {
				t.Errorf("got %d answers SERVING of %d, want 0 of at least 1", serving, answers)
			}
			if got := checkUDP(e, "epg"); got != tt.want {
				t.Errorf("after the restarts: got %q, want %q", got, tt.want)
			}
			// The process goes on, or a new one takes its name.
			switch {
			case tt.want == "NOT_SERVING stalled":
				servers["b"].signal(syscall.SIGUSR2)
			case tt.before == syscall.SIGSTOP || tt.after == syscall.SIGSTOP:
				servers["b"].signal(syscall.SIGCONT)
			default:
				start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", e.socket, "-instance", "b", "-within", defaultWithin)
			}
			e.await(checkUDP, "epg", "SERVING none")
		})
	}
}

// Without a usable members file landmarkd waits for every process that may
// reconnect. So it does not miss the hung one of two, although the other
// reconnects first.
func TestRestartWithoutMembersFileReportsHang(t *testing.T) {
	parallel(t)
	for name, spoil := range map[string]func(path string) error{
		"removed": os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte(`{"version":1,"boot":`), 0o600) },
		"another boot's": func(path string) error {
			return os.WriteFile(path, []byte(`{"version":1,"boot":"00000000-0000-0000-0000-000000000000","at":0,"services":[]}`), 0o600)
		},
		"writable by others": func(path string) error { return os.Chmod(path, 0o666) },
		"a link":             func(path string) error { os.Remove(path); return os.Symlink("/etc/passwd", path) },
	} {
		t.Run(name, func(t *testing.T) {
			parallel(t)
			e := newEnv(t)
			servers := e.instances("a", "b")
			servers["b"].signal(syscall.SIGUSR1)
			e.await(checkUDP, "epg", "NOT_SERVING stalled")
			stop := e.countServing()
			e.sidecar.kill()
			if err := spoil(e.membersFile()); err != nil {
				t.Fatal(err)
			}
			e.start()
			if ignored := e.sidecar.count("the members file is ignored"); ignored != 1 && name != "removed" {
				t.Errorf("log lines about an ignored file: got %d, want 1", ignored)
			}
			e.await(checkUDP, "epg", "NOT_SERVING stalled")
			if answers, serving := stop(); serving > 0 {
				t.Errorf("got %d answers SERVING of %d, want 0", serving, answers)
			}
			// A new file replaces the unusable one.
			info, err := os.Lstat(e.membersFile())
			for over := time.Now().Add(testTimeout); err != nil || info.Mode() != 0o600; info, err = os.Lstat(e.membersFile()) {
				if time.Now().After(over) {
					t.Fatalf("members file after %v: got %v, %v, want a regular file of mode 0600", testTimeout, info, err)
				}
				time.Sleep(time.Millisecond)
			}
			e.awaitMembers(`"a"`, `"b"`)
		})
	}
}

// An operator's drain outlives a landmarkd that is killed right after it. The
// drain of -drain-on-stop does not.
func TestRestartKeepsOperatorDrain(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.instances("a")
	e.landmark(0, "drain", "epg")
	for range 3 {
		e.sidecar.kill()
		e.start()
		if got, want := checkUDP(e, "epg"), "NOT_SERVING draining"; got != want {
			t.Errorf("drained service after a restart: got %q, want %q", got, want)
		}
	}
	e.landmark(0, "resume", "epg")
	e.sidecar.kill()
	e.start("-drain-on-stop", "1h")
	e.await(checkUDP, "epg", "SERVING none")
	e.sidecar.signal(syscall.SIGTERM)
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	e.sidecar.kill()
	e.start()
	if got, want := checkUDP(e, "epg"), "SERVING none"; got != want {
		t.Errorf("after a landmarkd that drained on stop: got %q, want %q", got, want)
	}
}

// landmark drain fails if the drain cannot be written to the members file.
func TestDrainReportsUnwritableMembersFile(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.instances("a")
	// Not even root can replace a directory that is not empty by a file. It is
	// moved into place whole, because landmarkd may write the file at any time.
	blocker := filepath.Join(t.TempDir(), "blocker")
	if err := os.MkdirAll(filepath.Join(blocker, "content"), 0o700); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(time.Millisecond) {
		err := os.Rename(blocker, e.membersFile()+".new")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	e.wantError(3, "epg is drained, but a restart of landmarkd will undo that", "drain", "epg")
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	e.sidecar.awaitLine("the members file cannot be written")
}

// An operator can forget a service only if no process reports it.
func TestForgetRequiresNoProcess(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server := e.instances("a")["a"]
	e.wantError(3, "epg still has connected processes: 1; stop them first", "forget", "epg")
	server.kill()
	e.await(checkUDP, "epg", "NOT_SERVING lost")
	e.wantOutput("epg is forgotten\n", "forget", "epg")
	if got := checkUDP(e, "epg"); !strings.Contains(strings.ToLower(got), "unknown") {
		t.Errorf("forgotten service: got %q, want UNKNOWN_SERVICE", got)
	}
	e.sidecar.kill()
	e.start()
	e.instances("another")
}
