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

// membersFile is where landmarkd keeps who was there.
func (e *env) membersFile() string { return filepath.Join(filepath.Dir(e.socket), "members.json") }

// awaitMembers waits until the members file has all the words.
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
			e.t.Fatalf("%s has no %s: %s, %v", e.membersFile(), missing, b, err)
		}
	}
}

// instances starts an EPG server for each instance name, all of one service,
// and waits until they serve and are remembered.
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

// falseServing asks without pause until it is stopped, by UDP and by WATCH, and
// returns how many answers there were and how many of them were SERVING.
func (e *env) falseServing() (stop func() (answers, serving int)) {
	ctx, cancel := context.WithCancel(e.t.Context())
	var mu sync.Mutex
	var answers, serving int
	note := func(a lmp.Answer) {
		mu.Lock()
		defer mu.Unlock()
		answers++
		if a.Status == lmp.StatusServing {
			serving++
		}
	}
	var asking sync.WaitGroup
	for _, network := range []string{"udp", "tcp"} {
		asking.Go(func() {
			for ctx.Err() == nil {
				asking, cancel := context.WithTimeout(ctx, 2*time.Second)
				a, err := probe.Do(asking, probe.Request{Network: network, Address: e.monitor, Kind: lmp.KindCheck, Service: "epg"})
				cancel()
				if err == nil {
					note(a)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	return func() (int, int) {
		cancel()
		asking.Wait()
		return answers, serving
	}
}

// A process that failed before a restart of the sidecar, or ended while it was
// away, is missed: none of the answers is SERVING.
func TestRestartReportsMissingProcess(t *testing.T) {
	parallel(t)
	for _, tt := range []struct {
		what          string
		before, after syscall.Signal // to one of three processes, before landmarkd is killed and then
		want          string
	}{
		{"wedged", syscall.SIGUSR1, 0, "NOT_SERVING stalled"},
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
			stop := e.falseServing()
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
				t.Errorf("%d of %d answers were SERVING", serving, answers)
			}
			if told := checkUDP(e, "epg"); told != tt.want {
				t.Errorf("then it is %q, want %q", told, tt.want)
			}
			// The process comes back, or another of its name.
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

// Without the file nobody knows whom to wait for: the wedged one of two is not
// overlooked, though the other comes back first.
func TestRestartWithoutMembersFileReportsWedge(t *testing.T) {
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
			stop := e.falseServing()
			e.sidecar.kill()
			if err := spoil(e.membersFile()); err != nil {
				t.Fatal(err)
			}
			e.start()
			if ignored := e.sidecar.count("the members file is ignored"); ignored != 1 && name != "removed" {
				t.Errorf("%d lines say that the file is ignored, want 1", ignored)
			}
			e.await(checkUDP, "epg", "NOT_SERVING stalled")
			if answers, serving := stop(); serving > 0 {
				t.Errorf("%d of %d answers were SERVING", serving, answers)
			}
			// A new file replaces the spoilt one, which may name the same processes.
			info, err := os.Lstat(e.membersFile())
			for over := time.Now().Add(testTimeout); err != nil || info.Mode() != 0o600; info, err = os.Lstat(e.membersFile()) {
				if time.Now().After(over) {
					t.Fatalf("after %v the file is %v, %v", testTimeout, info, err)
				}
				time.Sleep(time.Millisecond)
			}
			e.awaitMembers(`"a"`, `"b"`)
		})
	}
}

// An operator's drain outlives landmarkd, however soon after it that is killed;
// its own drain before it stops does not.
func TestRestartKeepsOperatorDrain(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.instances("a")
	e.landmark(0, "drain", "epg")
	for range 3 {
		e.sidecar.kill()
		e.start()
		if told := checkUDP(e, "epg"); told != "NOT_SERVING draining" {
			t.Errorf("behind a restart a drained service is %q", told)
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
	if told := checkUDP(e, "epg"); told != "SERVING none" {
		t.Errorf("behind a landmarkd that drained before it stopped the service is %q", told)
	}
}

// An operator is told when a drain cannot be written.
func TestDrainReportsUnwritableMembersFile(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.instances("a")
	// A directory that is not empty cannot be replaced by a file, not even by root.
	if err := os.MkdirAll(filepath.Join(e.membersFile()+".new", "in", "the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, said := e.landmark(3, "drain", "epg"); !strings.Contains(said, "epg is drained, but a restart of landmarkd will undo that") {
		t.Errorf("the operator is told %q", said)
	}
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	e.sidecar.awaitLine("the members file cannot be written")
}

// A service that no process reports can be forgotten, and no other.
func TestForgetRequiresNoProcess(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server := e.instances("a")["a"]
	if _, said := e.landmark(3, "forget", "epg"); !strings.Contains(said, "a process is connected") {
		t.Errorf("while a process is connected the operator is told %q", said)
	}
	server.kill()
	e.await(checkUDP, "epg", "NOT_SERVING lost")
	if said, _ := e.landmark(0, "forget", "epg"); said != "epg is forgotten\n" {
		t.Errorf("the operator is told %q", said)
	}
	if told := checkUDP(e, "epg"); !strings.Contains(strings.ToLower(told), "unknown") {
		t.Errorf("a forgotten service is %q", told)
	}
	e.sidecar.kill()
	e.start()
	e.instances("another")
}
