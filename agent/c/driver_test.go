//go:build linux

package c_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/sdnotify"
)

// testTimeout is how long a test waits for what must happen.
const testTimeout = 30 * time.Second

// receiver is a socket for notifications, as landmarkd's.
type receiver struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t, path: filepath.Join(t.TempDir(), "notify.sock")}
	r.listen()
	t.Cleanup(func() { r.conn.Close() })
	return r
}

func (r *receiver) listen() {
	r.t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: r.path, Net: "unixgram"})
	if err != nil {
		r.t.Fatal(err)
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1); err != nil {
				r.t.Error(err)
			}
		})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.conn = conn
}

// leave closes the socket and removes it, as a landmarkd that ends.
func (r *receiver) leave() {
	r.conn.Close()
	os.Remove(r.path)
}

// datagram is a received datagram: its lines, without that of the service.
type datagram struct {
	pid   int32
	lines []string
}

// receive returns the next datagram that arrives within the time.
func (r *receiver) receive(within time.Duration) (d datagram, ok bool) {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(within))
	data, control := make([]byte, 8192), make([]byte, 256)
	n, m, _, _, err := r.conn.ReadMsgUnix(data, control)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return d, false
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if n > 4096 {
		r.t.Errorf("a datagram has %d bytes, want at most 4096", n)
	}
	messages, err := syscall.ParseSocketControlMessage(control[:m])
	if err != nil {
		r.t.Fatal(err)
	}
	for _, message := range messages {
		if cred, err := syscall.ParseUnixCredentials(&message); err == nil {
			d.pid = cred.Pid
		}
	}
	if m, err := sdnotify.Parse(data[:n]); err != nil || m.Problem != nil {
		r.t.Errorf("landmarkd does not understand %q: %v", data[:n], errors.Join(err, m.Problem))
	}
	text, found := strings.CutSuffix(string(data[:n]), "\n")
	d.lines = strings.Split(text, "\n")
	if !found || d.lines[0] != "X_LANDMARK_SERVICE=epg" {
		r.t.Fatalf("got %q, want lines that begin with the service", data[:n])
	}
	d.lines = d.lines[1:]
	return d, true
}

// waiting returns how many bytes the next datagram has, 0 if none has arrived.
func (r *receiver) waiting() (n int) {
	r.t.Helper()
	raw, err := r.conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			n, _, _ = syscall.Recvfrom(int(fd), make([]byte, 8192), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return max(n, 0)
}

// next returns the lines of the next datagram.
func (r *receiver) next() []string {
	r.t.Helper()
	d, ok := r.receive(testTimeout)
	if !ok {
		r.t.Fatalf("no datagram came within %v", testTimeout)
	}
	return d.lines
}

// want waits for the next datagram, and reports an error unless it has these lines.
func (r *receiver) want(lines ...string) {
	r.t.Helper()
	if got := r.next(); !slices.Equal(got, lines) {
		r.t.Errorf("got the datagram %q, want %q", got, lines)
	}
}

// await waits for a datagram that contains the line, and returns its lines.
func (r *receiver) await(line string) []string {
	r.t.Helper()
	for {
		if got := r.next(); slices.Contains(got, line) {
			return got
		}
	}
}

// awaitPrefix waits for a datagram with a line that begins with the prefix.
func (r *receiver) awaitPrefix(prefix string) {
	r.t.Helper()
	for {
		if slices.ContainsFunc(r.next(), func(line string) bool { return strings.HasPrefix(line, prefix) }) {
			return
		}
	}
}

// driver is the program testdata/driver.c.
type driver struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

var driverProgram = once("gcc", "-fsanitize=address,undefined -fno-sanitize-recover=all "+warnings, "driver", "driver.c", "implementation.c")

// newDriver starts a driver that reports to the path, with more of the environment.
func newDriver(t *testing.T, path string, environment ...string) *driver {
	t.Helper()
	d := &driver{t: t, cmd: exec.Command(driverProgram(t))}
	d.cmd.Env = append([]string{"LANDMARK_NOTIFY_SOCKET=" + path}, environment...)
	d.cmd.Stderr = os.Stderr
	in, err := d.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.in, d.out = in, bufio.NewReader(out)
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.in.Close()
		if err := d.cmd.Wait(); err != nil {
			t.Errorf("the driver: %v", err)
		}
	})
	return d
}

// try runs a command and returns its answer.
func (d *driver) try(fields ...string) string {
	d.t.Helper()
	if _, err := io.WriteString(d.in, strings.Join(fields, "\t")+"\n"); err != nil {
		d.t.Fatal(err)
	}
	answer, err := d.out.ReadString('\n')
	if err != nil {
		d.t.Fatalf("%q: %v", fields, err)
	}
	return strings.TrimSuffix(answer, "\n")
}

// do runs commands. Each is its fields with a tab between them.
func (d *driver) do(commands ...string) {
	d.t.Helper()
	for _, c := range commands {
		if answer := d.try(strings.Split(c, "\t")...); answer != "ok" {
			d.t.Fatalf("%q: %s", c, answer)
		}
	}
}
