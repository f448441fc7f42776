//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"
)

// checkGate returns a check of the gate at the address: as a checker that can only
// open a connection.
func checkGate(address string) checkFunc {
	return func(*env, string) string {
		conn, err := net.DialTimeout("tcp", address, testTimeout)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return "NOT_SERVING refused"
		case errors.Is(err, syscall.ECONNRESET): // it was closed just then
			return "NOT_SERVING refused"
		case err != nil:
			return "error: " + err.Error()
		}
		conn.Close()
		return "SERVING none"
	}
}

const (
	gateOpen   = "SERVING none"
	gateClosed = "NOT_SERVING refused"
)

// newGateEnv starts landmarkd with a gate of the service "epg". It returns the gate's
// address and the configuration file.
func newGateEnv(t *testing.T) (e *env, gate, file string) {
	t.Helper()
	gate, file = freeAddress(t), filepath.Join(t.TempDir(), "landmarkd.yaml")
	write(t, file, fmt.Sprintf("services:\n  epg:\n    gate: %q\n", gate))
	return newEnv(t, "-config", file), gate, file
}

// The gate of a real program is closed before its start, while it hangs, drains, is
// frozen or is dead, and while landmarkd does not run; and open at all other times.
func TestGateFollowsProgram(t *testing.T) {
	parallel(t)
	e, gate, file := newGateEnv(t)
	check := checkGate(gate)
	never := func(when string) {
		t.Helper()
		if got := check(e, ""); got != gateClosed {
			t.Errorf("the gate %s: got %s, want %s", when, got, gateClosed)
		}
	}
	never("before the program")
	server, _ := e.epg(defaultWithin)
	e.await(check, "", gateOpen)

	server.signal(syscall.SIGUSR1) // its main loop hangs
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	e.await(check, "", gateClosed)
	never("of a program that hangs")
	server.signal(syscall.SIGUSR2)
	e.await(check, "", gateOpen)

	e.landmark(0, "drain", "epg")
	e.await(check, "", gateClosed)
	e.landmark(0, "resume", "epg")
	e.await(check, "", gateOpen)

	server.signal(syscall.SIGSTOP)
	e.await(check, "", gateClosed)
	server.signal(syscall.SIGCONT)
	e.await(check, "", gateOpen)

	e.sidecar.kill()
	never("without landmarkd")
	e.start("-config", file)
	e.await(check, "", gateOpen)

	server.kill()
	e.await(checkUDP, "epg", "NOT_SERVING lost")
	e.await(check, "", gateClosed)
	e.epg(defaultWithin)
	e.await(check, "", gateOpen)
	e.sidecar.terminate()
	never("after the end of landmarkd")
}

// A restart of landmarkd over a program that hangs never opens the gate.
func TestGateStaysClosedOverRestart(t *testing.T) {
	parallel(t)
	e, gate, file := newGateEnv(t)
	server, _ := e.epg(defaultWithin)
	server.signal(syscall.SIGUSR1)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	e.await(checkGate(gate), "", gateClosed)
	e.sidecar.kill()

	stop, ended := make(chan struct{}), make(chan []string)
	go func() {
		var got []string
		for {
			select {
			case <-stop:
				ended <- got
				return
			default:
				got = append(got, checkGate(gate)(e, ""))
			}
		}
	}()
	e.start("-config", file)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	close(stop)
	got := <-ended
	if i := slices.IndexFunc(got, func(answer string) bool { return answer != gateClosed }); i >= 0 {
		t.Errorf("check %d of %d over the restart: got %s, want %s", i+1, len(got), got[i], gateClosed)
	}
	server.signal(syscall.SIGUSR2)
	e.await(checkGate(gate), "", gateOpen)
}

// A pause of landmarkd itself leaves the gate of a healthy program open. When a
// program hangs meanwhile, the gate closes once landmarkd goes on.
func TestGateOverPauseOfLandmarkd(t *testing.T) {
	parallel(t)
	e, gate, _ := newGateEnv(t)
	server, _ := e.epg(defaultWithin)
	e.await(checkGate(gate), "", gateOpen)
	e.sidecar.signal(syscall.SIGSTOP)
	time.Sleep(2 * time.Second) // longer than stale_after
	e.sidecar.signal(syscall.SIGCONT)
	for i := range 500 {
		if got := checkGate(gate)(e, ""); got != gateOpen {
			t.Fatalf("check %d after the pause: got %s, want %s", i+1, got, gateOpen)
		}
		time.Sleep(time.Millisecond)
	}

	e.sidecar.signal(syscall.SIGSTOP)
	server.signal(syscall.SIGUSR1)
	time.Sleep(2 * time.Second)
	e.sidecar.signal(syscall.SIGCONT)
	e.await(checkUDP, "epg", "NOT_SERVING stalled")
	e.await(checkGate(gate), "", gateClosed)
}

// A reload adds, moves and removes gates. A port of landmarkd's own is refused, and a
// gate whose port is taken is opened once that is free.
func TestGateReload(t *testing.T) {
	parallel(t)
	e, first, file := newGateEnv(t)
	e.epg(defaultWithin)
	e.await(checkGate(first), "", gateOpen)
	second := freeAddress(t)
	reloaded := 1
	reload := func(services string) {
		t.Helper()
		write(t, file, "services:\n"+services)
		e.sidecar.signal(syscall.SIGHUP)
		reloaded++
		e.sidecar.awaitCount(reloadLogged, reloaded)
	}

	reload(fmt.Sprintf("  epg: {gate: %q}\n  absent: {gate: {listen: %q, aspect: liveness}}\n", first, second))
	if got := checkGate(second)(e, ""); got != gateClosed {
		t.Errorf("the gate of a service without a program: got %s, want %s", got, gateClosed)
	}
	reload(fmt.Sprintf("  epg: {gate: {listen: %q, aspect: liveness}}\n", second))
	e.await(checkGate(second), "", gateOpen)
	e.await(checkGate(first), "", gateClosed)
	e.landmark(0, "drain", "epg")
	e.await(checkUDP, "epg", "NOT_SERVING draining")
	if got := checkGate(second)(e, ""); got != gateOpen {
		t.Errorf("the gate of liveness during a drain: got %s, want %s", got, gateOpen)
	}
	e.landmark(0, "resume", "epg")

	write(t, file, fmt.Sprintf("services:\n  epg: {gate: %q}\n", e.line))
	e.sidecar.signal(syscall.SIGHUP)
	e.sidecar.awaitLine("has the port of landmarkd's own -line")
	if got := checkGate(second)(e, ""); got != gateOpen {
		t.Errorf("the gate after a file that is refused: got %s, want %s", got, gateOpen)
	}

	taken, err := net.Listen("tcp", first)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	reload(fmt.Sprintf("  epg: {gate: %q}\n", first))
	e.sidecar.awaitLine("another program has the port of the gate")
	name := "gate " + regexp.QuoteMeta(first)
	e.awaitStatus("", ` +`+name+`: another program has the port of the gate .*`)
	e.await(checkUDP, "epg", "SERVING none")
	taken.Close()
	e.sidecar.awaitLine("the port of the gate is bound")
	e.await(checkGate(first), "", gateOpen)
	e.awaitStatus("epg", ` +`+name+` open for \d.*`)
	reload("  epg:\n")
	e.await(checkGate(first), "", gateClosed)
}

// The gate follows each change of the verdict. With strictTimes it does so within
// 5 ms of the first answer over UDP that shows the change, in the median.
func TestGateFollowsEachChange(t *testing.T) {
	parallel(t)
	e, gate, _ := newGateEnv(t)
	e.epg(defaultWithin)
	e.await(checkGate(gate), "", gateOpen)
	var late []time.Duration
	for i := range 20 {
		order, gateAnswer, verdict := "drain", gateClosed, "NOT_SERVING draining"
		if i%2 == 1 {
			order, gateAnswer, verdict = "resume", gateOpen, "SERVING none"
		}
		changed := make(chan time.Time, 1)
		go func() {
			for checkGate(gate)(e, "") != gateAnswer {
				time.Sleep(200 * time.Microsecond)
			}
			changed <- time.Now()
		}()
		ordered := make(chan struct{})
		go func() {
			defer close(ordered)
			e.landmark(0, order, "epg")
		}()
		e.await(checkUDP, "epg", verdict)
		answered := time.Now()
		<-ordered
		select {
		case at := <-changed:
			late = append(late, max(0, at.Sub(answered)))
		case <-time.After(testTimeout):
			t.Fatalf("the gate after %s: got no %s within %v", order, gateAnswer, testTimeout)
		}
	}
	slices.Sort(late)
	assertWithin(t, late[len(late)/2], 5*time.Millisecond, "a change of the verdict until it shows at the gate, in the median")
	t.Logf("the gate followed the answer over UDP after %v in the median, and %v at most", late[len(late)/2], late[len(late)-1])
}

// HAProxy's check of a port never fails while the program serves, and fails when it
// hangs. HAProxy resets each connection before it is complete, so landmarkd does not
// see who checks.
func TestGateChecksByHAProxy(t *testing.T) {
	parallel(t)
	e, gate, _ := newGateEnv(t)
	s := &realServer{env: e}
	s.epgd, s.address = e.epg(defaultWithin)
	x := &balancer{t: t, virtual: freeAddress(t), stats: filepath.Join(t.TempDir(), "stats.sock")}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	write(t, path, fmt.Sprintf(`global
    stats socket %s
defaults
    mode tcp
    timeout connect 3s
    timeout check 3s
    timeout client 1h
    timeout server 1h
listen epg
    bind %s
    server %s %s check port %s inter 2ms fall 1 rise 1
`, x.stats, x.virtual, s.address, s.address, portOf(t, gate)))
	start(t, debian(t, "haproxy", "haproxy"), "-db", "-f", path)
	x.await(s, "check_status", "L4OK")
	time.Sleep(time.Second) // some hundred checks
	if failed := x.state(s, "chkfail"); failed != "0" {
		t.Errorf("failed checks while the program serves: got %s, want 0", failed)
	}
	s.epgd.signal(syscall.SIGUSR1)
	x.await(s, "status", "DOWN")
	s.epgd.signal(syscall.SIGUSR2)
	x.await(s, "status", "UP")
}
