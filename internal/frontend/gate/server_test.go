package gate

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// The port is open exactly while the service serves, again and again.
func TestPortFollowsVerdict(t *testing.T) {
	port := freePort(t)
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, port})
	await(t, "the port is reserved", func() bool { return !canListen(port) })
	if isOpen(t, port) {
		t.Error("the port is open for a service that no program reports")
	}
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	epg.Start()
	if isOpen(t, port) {
		t.Error("the port is open for a service that is starting")
	}
	for range 5 {
		epg.Work()
		awaitOpen(t, port, true)
		epg.Stall()
		awaitOpen(t, port, false)
	}
	epg.Work()
	awaitOpen(t, port, true)
	f.stop()
	if isOpen(t, port) {
		t.Error("the port is open although the server has ended")
	}
	if !canListen(port) {
		t.Error("the port is reserved although the server has ended")
	}
	if log := f.log.String(); log != "" {
		t.Errorf("the log is %q, want none", log)
	}
}

// Each gate has its own aspect.
func TestPortFollowsItsAspect(t *testing.T) {
	readiness, liveness := freePort(t), freePort(t)
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, readiness}, Gate{"epg", judge.Liveness, liveness})
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	epg.Work()
	awaitOpen(t, readiness, true)
	awaitOpen(t, liveness, true)
	epg.Session.Drain(true)
	epg.Work()
	awaitOpen(t, readiness, false)
	if !isOpen(t, liveness) {
		t.Error("the port of liveness is closed by a drain")
	}
	epg.Stall()
	awaitOpen(t, liveness, false)
}

// A port that was taken is reserved in the start grace, before there is any answer.
func TestTakenPortIsRetriedInStartGrace(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).AddrPort()
	f := start(t, newRegistry(t, time.Hour), Gate{"epg", judge.Readiness, port})
	await(t, "the failure is logged", func() bool { return f.log.Count("another program has the port of the gate") > 0 })
	f.awaitState(checkers.GateState{Name: "epg", Address: port, Problem: "another program has the port of the gate and may answer its checkers: stop it, or choose another port; trying again (bind: address already in use)"})
	taken.Close()
	await(t, "the port is reserved", func() bool { return f.log.Count("the port of the gate is bound") > 0 && !canListen(port) })
	f.awaitState(checkers.GateState{Name: "epg", Address: port})
}

// The record shows whether the gate is open, as long as it is configured.
func TestGateIsRecorded(t *testing.T) {
	port := freePort(t)
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Liveness, port})
	closed := checkers.GateState{Name: "epg-liveness", Address: port}
	open := closed
	open.Open = true
	f.awaitState(closed)
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	epg.Work()
	f.awaitState(open)
	epg.Stall()
	f.awaitState(closed)
	epg.Work()
	f.awaitState(open)
	f.Configure(nil)
	f.awaitState(checkers.GateState{})
}

// awaitState waits until the gate of the service epg is recorded in the state.
func (f *fixture) awaitState(want checkers.GateState) {
	f.t.Helper()
	await(f.t, fmt.Sprintf("the gate is %+v", want), func() bool {
		got, ok := f.checkers.Gate("epg")
		return got.GateState == want && ok == (want != checkers.GateState{})
	})
}

// In the start grace the port opens with the first report of a service that serves,
// and not before.
func TestPortOpensInStartGrace(t *testing.T) {
	known, unknown := freePort(t), freePort(t)
	f := start(t, newRegistry(t, time.Hour), Gate{"epg", judge.Readiness, known}, Gate{"guide", judge.Readiness, unknown})
	await(t, "the ports are reserved", func() bool { return !canListen(known) && !canListen(unknown) })
	if isOpen(t, known) || isOpen(t, unknown) {
		t.Error("a port is open before any report")
	}
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	epg.Work()
	awaitOpen(t, known, true)
	if isOpen(t, unknown) {
		t.Error("the port of a service without a report is open")
	}
	epg.Stall()
	awaitOpen(t, known, false)
}

// The port is not open while the answer may change, whatever it is: after a start, one
// process of a service that may have others is not enough, and neither is the host of a
// service whose programs may come back.
func TestPortIsClosedWhileAnswerIsProvisional(t *testing.T) {
	process, host := freePort(t), freePort(t)
	r := frontendtest.NewRegistry(t, time.Second)
	policy := registry.DefaultPolicy
	policy.StaleAfter = time.Hour
	policy.Quorum = judge.NoneNeeded
	policy.Host = []registry.HostLandmark{{Declared: judge.Declared{Name: "port", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}, Port: host}}
	healthy := registry.HostReport{Facts: []registry.Fact{{Reached: true, Met: true}}}
	r.Configure(map[string]registry.Policy{"guide": policy}, map[string]registry.HostReport{"guide": healthy})
	r.BeginGrace()
	start(t, r, Gate{"epg", judge.Readiness, process}, Gate{"guide", judge.Readiness, host})
	epg := frontendtest.NewProcess(t, r, "epg")
	isOpenRightly := func(name string, port netip.AddrPort) bool {
		open := isOpen(t, port)
		if a, final := r.Lookup([]byte(name), 0); open && (!final || a.Status != judge.Serving) {
			t.Fatalf("the port of %s is open while the answer is %v, final %t", name, a.Status, final)
		}
		return open
	}
	await(t, "both ports are open", func() bool {
		epg.Work() // or it is stale on a slow machine
		r.ReportHost("guide", healthy)
		one, other := isOpenRightly("epg", process), isOpenRightly("guide", host)
		return one && other
	})
}

// A port that another program has is reserved once that has ended, and opens. The
// verdict is not affected, and no attempt leaves anything bound.
func TestTakenPortIsRetried(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).AddrPort()
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, port})
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	epg.Work()
	await(t, "the failure is logged", func() bool { return f.log.Count("another program has the port of the gate") > 0 })
	if a, _ := f.registry.Lookup([]byte("epg"), 0); a.Status != judge.Serving {
		t.Errorf("the verdict is %v, want SERVING whatever the port", a.Status)
	}
	taken.Close()
	awaitOpen(t, port, true)
	await(t, "the success is logged", func() bool { return f.log.Count("the port of the gate is bound") > 0 })
	if log := f.log.String(); strings.Count(log, "level=WARN") != 1 || strings.Count(log, "service=epg gate="+port.String()+" failures=") != 2 {
		t.Errorf("the log has not one failure and one success with their gate:\n%s", log)
	}
	if canListen(port) {
		t.Error("another program can listen at the port")
	}
	f.stop()
	if wildcard := wildcardOf(port); !canListen(port) || !canListen(wildcard) {
		t.Errorf("%v or %v is not given up", port, wildcard)
	}
}

// A gate at all addresses opens for both families, and needs nothing besides its port.
func TestGateAtAllAddresses(t *testing.T) {
	four, six := withIPv6(t)
	all := netip.AddrPortFrom(netip.IPv6Unspecified(), four.Port())
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, all})
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	for range 2 {
		epg.Work()
		awaitOpen(t, four, true)
		awaitOpen(t, six, true)
		epg.Stall()
		awaitOpen(t, four, false)
		awaitOpen(t, six, false)
	}
}

// A program that has bound the port, but does not listen, keeps the gate from opening,
// and cannot open the port itself.
func TestPortThatAnotherHasBoundStaysClosed(t *testing.T) {
	port := freePort(t)
	other, _, err := bindSocket(unix.AF_INET, &unix.SockaddrInet4{Port: int(port.Port()), Addr: port.Addr().As4()}, true)
	if err == nil {
		err = share(other, unix.SO_REUSEADDR, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, port})
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	problem := func() {
		t.Helper()
		await(t, "the problem is recorded", func() bool {
			g, _ := f.checkers.Gate("epg")
			return strings.HasPrefix(g.Problem, "another program has the port")
		})
	}
	problem()
	for range 2 {
		epg.Work()
		problem()
		if err := unix.Listen(other, 1); err == nil || isOpen(t, port) {
			t.Fatalf("the other program could listen: %v", err)
		}
		epg.Stall()
		problem()
	}
	unix.Close(other)
	f.awaitState(checkers.GateState{Name: "epg", Address: port})
	epg.Work()
	awaitOpen(t, port, true)
	f.awaitState(checkers.GateState{Name: "epg", Address: port, Open: true})
}

// No other program can take a closed port, also after it was open and had
// connections.
func TestClosedPortIsReserved(t *testing.T) {
	port := freePort(t)
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, port})
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	for range 3 {
		epg.Work()
		awaitOpen(t, port, true)
		epg.Stall()
		awaitOpen(t, port, false)
		for _, address := range []netip.AddrPort{port, netip.AddrPortFrom(netip.IPv6Unspecified(), port.Port())} {
			if canListen(address) {
				t.Errorf("another program can listen at %v while the gate is closed", address)
			}
		}
	}
}

// Configure adds, removes and moves gates. It leaves those that stay as they are.
func TestConfigureChangesGates(t *testing.T) {
	stays, moves := freePort(t), freePort(t)
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, stays}, Gate{"epg", judge.Liveness, moves})
	frontendtest.NewProcess(t, f.registry, "epg").Work()
	guide := frontendtest.NewProcess(t, f.registry, "guide")
	guide.Start()
	awaitOpen(t, stays, true)
	awaitOpen(t, moves, true)

	f.Configure([]Gate{{"guide", judge.Readiness, moves}, {"epg", judge.Readiness, stays}})
	awaitOpen(t, moves, false)
	for range 100 {
		if !isOpen(t, stays) {
			t.Fatal("the gate that stays was closed")
		}
	}
	guide.Work()
	awaitOpen(t, moves, true)

	f.Configure(nil)
	await(t, "the ports are given up", func() bool { return canListen(stays) && canListen(moves) })
}

// Connections are recorded as checks of the service.
func TestConnectionsAreRecorded(t *testing.T) {
	port := freePort(t)
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, port})
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	epg.Work()
	awaitOpen(t, port, true)
	for range 10 {
		connect(port)
	}
	await(t, "the checks are recorded", func() bool {
		all := f.checkers.ByService("epg")
		return len(all) == 1 && all[0].Total >= 11
	})
	want := checkers.Checker{From: netip.MustParseAddr("127.0.0.1"), Via: checkers.Gate}
	if got := f.checkers.ByService("epg")[0].Checker; got != want {
		t.Errorf("the checker is %v, want %v", got, want)
	}
}

// Each connection ends by FIN. A reset could reach the checker before it reads the
// result of its connect, and look like a failure.
func TestConnectionsAreNotReset(t *testing.T) {
	port := freePort(t)
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, port})
	frontendtest.NewProcess(t, f.registry, "epg").Work()
	awaitOpen(t, port, true)
	for range 300 {
		if err := connect(port); err != nil {
			t.Fatal(err)
		}
	}
}

// A flood of connections leaves neither descriptors nor goroutines, whether their
// clients wait for the end, leave at once, or reset the connection.
func TestFloodLeavesNothing(t *testing.T) {
	port := freePort(t)
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, port})
	frontendtest.NewProcess(t, f.registry, "epg").Work()
	awaitOpen(t, port, true)
	goroutines, descriptors := runtime.NumGoroutine(), openFiles(t)
	const connections = 3000
	for i := range connections {
		conn, err := net.DialTimeout("tcp", port.String(), deadline)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			conn.Read(make([]byte, 1))
		case 1:
			conn.(*net.TCPConn).SetLinger(0)
		}
		conn.Close()
	}
	await(t, "all connections are recorded", func() bool { return f.checkers.ByService("epg")[0].Total > connections })
	await(t, "as many goroutines run as before", func() bool { return runtime.NumGoroutine() <= goroutines })
	if after := openFiles(t); after > descriptors {
		t.Errorf("%d descriptors are open, want %d", after, descriptors)
	}
	if !isOpen(t, port) {
		t.Error("the port is closed")
	}
}

// openFiles returns the number of open descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
