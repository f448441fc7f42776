package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landmark-health/landmark/internal/nettest"
	"github.com/landmark-health/landmark/lmp"
)

// ldirectordLink makes a link to the program and returns its path.
func ldirectordLink(t *testing.T, name string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	return link
}

func TestLdirectordChecksRealServer(t *testing.T) {
	for argument, want := range map[string]string{
		"10.0.0.7":        "10.0.0.7:19533",
		"2001:db8::7":     "[2001:db8::7]:19533",
		"[2001:db8::7]":   "[2001:db8::7]:19533",
		"rs1.example.net": "rs1.example.net:19533",
	} {
		c, err := parseLdirectord("epg", []string{"192.0.2.1", "80", argument, "8080"})
		if err != nil {
			t.Fatal(err)
		}
		r := c.request
		if r.Address != want || r.Service != "epg" || r.Network != "udp" || c.mode.kind != lmp.KindCheck {
			t.Errorf("%s: request %+v, want UDP to %s", argument, r, want)
		}
	}
}

func TestLdirectordExitCodes(t *testing.T) {
	// An address that no other program uses, because the port cannot be chosen.
	const host = "127.19.53.3"
	conn, err := net.ListenPacket("udp", net.JoinHostPort(host, "19533"))
	if err != nil {
		t.Skipf("the port is taken: %v", err)
	}
	conn.Close()
	nettest.ServeUDP(t, net.JoinHostPort(host, "19533"), new(server).reply)

	for service, want := range map[string]struct {
		code int
		line string
	}{
		"epg":      {0, "epg: SERVING"},
		"stalled":  {1, "stalled: NOT_SERVING stalled"},
		"draining": {1, "draining: NOT_SERVING draining"},
		"unknown":  {1, "unknown: SERVICE_UNKNOWN"},
	} {
		link := ldirectordLink(t, "ldirectord-"+service)
		expect(t, execute(t, link, "192.0.2.1", "80", host, "8080"), want.code, want.line)
		expect(t, execute(t, link, "7", "80", host, "8080"), want.code, want.line) // by firewall mark
	}
	// No server at this address: refused by ICMP, and given up after 1 s.
	expect(t, execute(t, ldirectordLink(t, "ldirectord-epg"), "192.0.2.1", "80", "127.19.53.4", "8080"), 1, "epg: checking 127.19.53.4:19533 over udp: no answer in time...")
}

func TestLdirectordBadArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"ldirectord-epg":  {"192.0.2.1", "80"},
		"ldirectord-epg2": nil,
		"ldirectord-epg3": {"192.0.2.1", "80", "", "8080"},
		"ldirectord-":     {"192.0.2.1", "80", "10.0.0.7", "8080"},
	} {
		r := execute(t, ldirectordLink(t, name), args...)
		if r.code != 1 || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s %q: exit %d, stdout %q, stderr %q; want exit 1 and one line on stderr", name, args, r.code, r.stdout, r.stderr)
		}
	}
}
