//go:build e2e

package e2e_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A name has many addresses: one that is closed, some that never answer, and the
// last is landmarkd's. Every client finds landmarkd.
func TestClientsTryEveryAddress(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	holes := []string{"127.0.0.2", "127.0.0.3", "127.0.0.4"}
	for _, address := range []string{e.monitor, e.grpc} {
		for _, hole := range holes {
			blackHole(t, netip.AddrPortFrom(netip.MustParseAddr(hole), netip.MustParseAddrPort(address).Port()))
		}
	}
	const name = "epg.landmark.test"
	hosts := filepath.Join(t.TempDir(), "hosts")
	var text strings.Builder
	for _, address := range append(append([]string{"::1"}, holes...), "127.0.0.1") {
		text.WriteString(address + " " + name + "\n")
	}
	write(t, hosts, text.String())
	named := func(address string) string { return net.JoinHostPort(name, portOf(t, address)) }
	// In a mount namespace of its own, /etc/hosts has the name.
	inNamespace := []string{"-m", "sh", "-c", `mount --bind "$1" /etc/hosts && shift && exec "$@"`, "sh", hosts}
	if os.Geteuid() != 0 {
		inNamespace = append([]string{"-r"}, inNamespace...)
	}
	if out, err := exec.Command("unshare", append(inNamespace, "true")...).CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("creating a mount namespace: %v %s", err, out)
		}
		t.Skipf("creating a mount namespace: %v %s", err, out)
	}

	dir := t.TempDir()
	start(t, "unshare", append(inNamespace, program("landmark-watch"), "-dir", dir, "-target", "rs1="+named(e.monitor)+"/epg")...)
	for what, args := range map[string][]string{
		"landmark-check by UDP": {program("landmark-check"), "-addr", named(e.monitor), "-service", "epg", "-timeout", "20s"},
		"landmark-check by TCP": {program("landmark-check"), "-addr", named(e.monitor), "-service", "epg", "-timeout", "20s", "-tcp"},
		"landmark status":       {program("landmark"), "status", "-addr", named(e.grpc), "epg"},
	} {
		begun := time.Now()
		code, out, errs := runProgram(t, "unshare", append(inNamespace, args...)...)
		t.Logf("%-21s took %v", what, time.Since(begun).Round(time.Millisecond))
		if code != 0 || !strings.Contains(out, "SERVING") {
			t.Errorf("%s: got exit code %d, %q, %q, want 0 and SERVING", what, code, out, errs)
		}
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		content, _ := os.ReadFile(filepath.Join(dir, "rs1"))
		if strings.TrimSpace(string(content)) == "0" {
			break
		}
		if time.Since(begun) > testTimeout {
			t.Fatalf("track file after %v: got %q, want 0", testTimeout, content)
		}
	}
}

// blackHole never answers at the address: it does not read datagrams, and its
// queue of connections is full.
func blackHole(t *testing.T, at netip.AddrPort) {
	t.Helper()
	to := &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_STREAM} {
		fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Bind(fd, to); err != nil {
			t.Fatal(err)
		}
		if kind == unix.SOCK_DGRAM {
			continue
		}
		if err := unix.Listen(fd, 0); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		conn, err := net.DialTimeout("tcp", at.String(), 200*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the accept queue did not fill up after 100 connections")
}
