package sidecar

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hostPolicies are the policies of one service with a landmark of the host.
const hostPolicies = `services:
  epg:
    host:
      port:
        listening: "127.0.0.1:5400"
`

// openFiles returns the number of open descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// New opens netlink sockets for the landmarks of the host before it binds its
// listeners. If it fails then, it closes them.
func TestFailedNewLeavesNoDescriptors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	if err := os.WriteFile(file, []byte(hostPolicies), 0o600); err != nil {
		t.Fatal(err)
	}
	var before int
	for i := range 2 { // the first makes the runtime open its poller
		before = openFiles(t)
		if s, err := New(Config{File: file, GRPC: "nonsense"}); err == nil {
			s.Close()
			t.Fatal("New succeeded")
		} else if !strings.Contains(err.Error(), "-grpc nonsense: ") {
			t.Errorf("attempt %d: %v", i, err)
		}
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors are open, want %d", after, before)
	}
}

// Each load of the configuration is logged, with its file and the number of its
// services. A file that is wrong is not.
func TestReloadIsLogged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	logged := func(services int) {
		t.Helper()
		want := fmt.Sprintf("level=INFO msg=\"configuration loaded\" file=%s services=%d\n", file, services)
		if !strings.HasSuffix(log.String(), want) || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("the log is %q, want %q", &log, want)
		}
		log.Reset()
	}
	write("services:\n  epg:\n  vod:\n")
	s, err := New(Config{File: file, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	logged(2)
	write("services:\n  epg:\n")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	logged(1)
	if s, err := New(Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}); err != nil || s.Reload() != nil || strings.Count(log.String(), "no configuration to reload") != 1 {
		t.Errorf("a reload without a file: %v, the log is %q", err, &log)
	}
	log.Reset()
	write("services: 7\n")
	if err := s.Reload(); err == nil || log.Len() > 0 {
		t.Errorf("a wrong file: %v, the log is %q", err, &log)
	}
}

// A file with a gate at a port of landmarkd's own is refused, by the check as by a
// start and a reload.
func TestGateAtOwnPortIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	if err := os.WriteFile(file, []byte("services:\n  epg:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := taken.Addr().String()
	taken.Close()
	c := Config{File: file, Line: address}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gate := fmt.Sprintf("services:\n  epg:\n    gate: %q\n", address)
	if err := os.WriteFile(file, []byte(gate), 0o600); err != nil {
		t.Fatal(err)
	}
	want := file + ":3:11: services.epg.gate: has the port of landmarkd's own -line " + address + ": choose another port"
	for name, check := range map[string]func() error{
		"check":  c.CheckFile,
		"reload": s.Reload,
		"start":  func() error { _, err := New(c); return err },
	} {
		if err := check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got error %v, want %s", name, err, want)
		}
	}
}

// A reload that fails, here for a BFD session, changes nothing: no notify socket either.
func TestFailedReloadKeepsNotifySockets(t *testing.T) {
	dir := t.TempDir()
	file, before, after := filepath.Join(dir, "landmarkd.yaml"), filepath.Join(dir, "before.sock"), filepath.Join(dir, "after.sock")
	configure := func(socket, rest string) {
		t.Helper()
		if err := os.WriteFile(file, fmt.Appendf(nil, "services:\n  epg:\n    notify_socket: %s\n%s", socket, rest), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure(before, "")
	s, err := New(Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	configure(after, "bfd:\n- {service: epg, peer: 192.0.2.1, local: 192.0.2.250}\n") // it is not on this host
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "write an address of this host as local") {
		t.Fatalf("got error %v, want one about the address", err)
	}
	if _, err := os.Stat(before); err != nil {
		t.Errorf("the socket of before is gone: %v", err)
	}
	if _, err := os.Stat(after); err == nil {
		t.Error("the new socket is there")
	}
}
