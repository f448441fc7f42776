package agents

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/nonblock"
	"github.com/landmark-health/landmark/internal/pidfd"
	"github.com/landmark-health/landmark/internal/registry"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// firstHeld is a listener whose first connection can be held.
type firstHeld struct {
	net.Listener
	first heldConn
}

func (l *firstHeld) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil || l.first.UnixConn != nil {
		return conn, err
	}
	l.first.UnixConn = conn.(*nonblock.Conn).UnixConn
	return &l.first, nil
}

// heldConn is a connection whose end is read only once that is released: a busy
// landmarkd is as late.
type heldConn struct {
	*net.UnixConn
	ended    chan struct{} // closed when the end could be read
	released chan struct{}
}

func (c *heldConn) Read(b []byte) (int, error) {
	n, err := c.UnixConn.Read(b)
	if err != nil {
		close(c.ended)
		<-c.released
	}
	return n, err
}

// A process that was started in place of one whose connection has ended takes its slot,
// also if it reports before that end is handled; and the same if it had joined before,
// and starts only now.
func TestSuccessorIsQuickerThanTheEnd(t *testing.T) {
	for name, joinedBefore := range map[string]bool{"it joins": false, "it has joined": true} {
		t.Run(name, func(t *testing.T) {
			held := firstHeld{first: heldConn{ended: make(chan struct{}), released: make(chan struct{})}}
			release := sync.OnceFunc(func() { close(held.first.released) })
			log := new(logtest.Buffer)
			s := newSidecarOver(t, log, func(l net.Listener) net.Listener { held.Listener = l; return &held })
			defer release()
			patient := judge.DefaultPolicy
			patient.StaleAfter = time.Hour // no process reports again, however slow the machine is
			s.registry.Configure(map[string]registry.Policy{"epg": {Policy: patient}}, nil)
			old := s.reporting("epg", "old", 0)
			successor := s.dial(hello("epg", "new"), declaration(loop("main")))
			successor.welcomed()
			if joinedBefore {
				successor.send(report(0, &reportv1.Fact{}))
				s.awaitMembers("old", "new")
			}
			old.conn.Close()
			<-held.first.ended
			successor.send(report(0, fact(0)))
			s.awaitMembers("new")
			release()
			await(t, "the end of the old process is logged", func() bool { return log.Count("program lost") > 0 })
			s.awaitMembers("new")
			if a := s.look("epg"); a.Status != judge.Serving {
				t.Errorf("after the end of the old process the service is %v, %v", a.Status, a.Cause)
			}
		})
	}
}

// awaitMembers waits until epg has these instances, present or missed.
func (s *sidecar) awaitMembers(want ...string) {
	s.t.Helper()
	await(s.t, fmt.Sprintf("the members are %q", want), func() bool {
		var got []string
		all, _ := s.registry.Memberships()
		for _, member := range all[0].Members {
			got = append(got, member.Instance)
		}
		return slices.Equal(got, want)
	})
}

// await waits until the condition holds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(testTimeout)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: not within %v", what, testTimeout)
		}
	}
}

// socketOfHeir is the environment variable with the path of a socket, in a process that
// dials it and whose child inherits the connection.
const socketOfHeir = "LANDMARK_STREAM_TEST_HEIR"

// TestHeir is that process.
func TestHeir(t *testing.T) {
	path := os.Getenv(socketOfHeir)
	if path == "" {
		return // started by no test
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := conn.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("cat") // until the test closes the standard input of both
	child.Stdin, child.ExtraFiles = os.Stdin, []*os.File{file}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("the child has it")
	child.Wait()
}

// A process that has exited has ended, also while a child holds its connection, and while
// its exit is not handled.
func TestExitedProcessHasEnded(t *testing.T) {
	exits, err := pidfd.New() // it does not run, as if it were late
	if err != nil {
		t.Fatal(err)
	}
	defer exits.Close()
	all := newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler))
	all.exits = exits
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	process := exec.Command("/proc/self/exe", "-test.run=^TestHeir$", "-test.v")
	process.Env = append(os.Environ(), socketOfHeir+"="+path)
	stdin, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := (&listener{Listener: l, connections: all}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "the child has it" {
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if conn.(*connection).hasEnded() {
		t.Error("a process that runs has ended")
	}
	process.Process.Kill()
	process.Process.Wait()
	if !conn.(*connection).hasEnded() {
		t.Error("a process that was killed has not ended")
	}
}

// A connection has ended once its peer has closed it, or it is closed.
func TestClosedConnectionHasEnded(t *testing.T) {
	exits, err := pidfd.New()
	if err != nil {
		t.Fatal(err)
	}
	defer exits.Close()
	unwatched := newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler))
	watched := newConnections(registry.New(clock.New(), 0), slog.New(slog.DiscardHandler))
	watched.exits = exits
	for name, end := range map[string]func(conn *connection, agent net.Conn){
		"by the peer":                func(_ *connection, agent net.Conn) { agent.Close() },
		"by the peer for writing":    func(_ *connection, agent net.Conn) { agent.(*net.UnixConn).CloseWrite() },
		"here":                       func(conn *connection, _ net.Conn) { conn.Close() },
		"by the peer, with a report": func(_ *connection, agent net.Conn) { agent.Write([]byte("report")); agent.Close() },
	} {
		for _, all := range []*connections{watched, unwatched} {
			conn, agent := pair(t, all)
			agent.Write([]byte("report"))
			if conn.hasEnded() {
				t.Errorf("%s: an open connection has ended", name)
			}
			if end(conn, agent); !conn.hasEnded() {
				t.Errorf("%s: it has not ended", name)
			}
		}
	}
}
