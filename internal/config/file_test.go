package config

import (
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "landmarkd.yaml")
	if err := os.WriteFile(path, []byte("services: {epg: {slow_start: 1m}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := File{Services: map[string]registry.Policy{"epg": policy(func(p *registry.Policy) { p.SlowStart = time.Minute })}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the policies differ (-want +got):\n%s", diff)
	}
}

func TestReadRejectsFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := file("wrong.yaml", "service:\n")
	for _, test := range []struct {
		name, path, want string
	}{
		{"missing", filepath.Join(dir, "none"), "reading configuration: stat " + dir + "/none: no such file or directory"},
		{"a directory", dir, "reading configuration: " + dir + " is not a regular file"},
		{"a pipe", pipe, "reading configuration: " + pipe + " is not a regular file"},
		{"a device", "/dev/zero", "reading configuration: /dev/zero is not a regular file"},
		{
			"too long", file("long.yaml", strings.Repeat("#", maxSize+1)),
			"reading configuration: " + dir + "/long.yaml is over 1 MiB long: is it the right file?",
		},
		{
			"wrong", wrong,
			wrong + ":1:1: service: is not a key here: use one of services, bfd\n       1 | service:\n         | ^",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Read(test.path)
			if err == nil {
				t.Fatalf("there is no error, but %v", got)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("the error differs (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := Read(file("longest.yaml", strings.Repeat("#", maxSize))); err != nil {
		t.Errorf("a file of 1 MiB: %v", err)
	}
}

// checkFile checks that a configuration is in range, independently of the code that
// reads it.
func checkFile(t *testing.T, file File) {
	t.Helper()
	services, ports := file.Services, make(map[netip.AddrPort]bool)
	for _, g := range file.Gates {
		_, known := services[g.Service]
		if !known || ports[g.Address] || g.Address.Port() == 0 || !g.Address.Addr().IsValid() || g.Address.Addr().Is4In6() || g.Aspect >= judge.Aspect(judge.Aspects) {
			t.Errorf("the gates are %v", file.Gates)
		}
		ports[g.Address] = true
	}
	check := func(name, key string, ok bool, value any) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %s is %v", name, key, value)
		}
	}
	within := func(d, lowest, highest time.Duration) bool { return lowest <= d && d <= highest }
	for name, p := range services {
		check(name, "name", contract.CheckServiceName(name) == nil, name)
		check(name, "stale_after", within(p.StaleAfter, 500*time.Millisecond, time.Hour), p.StaleAfter)
		check(name, "forget_after", within(p.ForgetAfter, time.Second, 30*24*time.Hour), p.ForgetAfter)
		check(name, "instances", 0 <= p.Quorum.AtLeast && p.Quorum.AtLeast <= 1024, p.Quorum)
		check(name, "none", !p.Quorum.NoneNeeded || p.Quorum.AtLeast == 0 && len(p.Host) > 0, p.Quorum)
		for _, l := range p.Host {
			check(name, "landmark's name", 1 <= len(l.Name) && len(l.Name) <= 128, l.Name)
			check(name, "impact", 1 <= l.Impact && l.Impact <= 4, l.Impact)
			if l.Probe != nil {
				checkProbe(t, l)
				continue
			}
			check(name, "ttl", l.TTL == 0, l.TTL)
			check(name, "within", l.Kind == judge.KindCondition && l.Within == 0 ||
				l.Kind == judge.KindDeadline && within(l.Within, 100*time.Millisecond, time.Hour), l.Within)
			check(name, "place", l.Address.IsValid() != (l.Port.Port() > 0), l)
			check(name, "protocol", !l.UDP || l.Port.Port() > 0, l.UDP)
			check(name, "direct_routing", !l.DirectRouting || l.Address.IsValid(), l.DirectRouting)
		}
		check(name, "fall_after", within(p.FallAfter, 0, time.Hour), p.FallAfter)
		check(name, "recover_after", within(p.RecoverAfter, 0, time.Hour), p.RecoverAfter)
		check(name, "slow_start", within(p.SlowStart, 0, time.Hour), p.SlowStart)
		check(name, "max_age", p.MaxAge == 0 || within(p.MaxAge, time.Millisecond, 24*time.Hour), p.MaxAge)
		check(name, "ask_timeout", p.PollTimeout == 0 ||
			within(p.PollTimeout, 10*time.Millisecond, 800*time.Millisecond), p.PollTimeout)
		for landmark, o := range p.Landmarks {
			check(name, "landmark's name", 1 <= len(landmark) && len(landmark) <= 128, landmark)
			check(name, "impact", o.Impact == nil || 1 <= *o.Impact && *o.Impact <= 4, o.Impact)
			check(name, "within", o.Within == nil || within(*o.Within, time.Millisecond, 24*time.Hour), o.Within)
			check(name, "start_within", o.StartWithin == nil || within(*o.StartWithin, 0, 24*time.Hour), o.StartWithin)
			check(name, "ttl", o.TTL == nil || within(*o.TTL, 0, 24*time.Hour), o.TTL)
			for _, f := range []*float64{o.DegradeAt, o.FailAt} {
				check(name, "limit", f == nil || !math.IsNaN(*f) && !math.IsInf(*f, 0), f)
			}
		}
	}
}
