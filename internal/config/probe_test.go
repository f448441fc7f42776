package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

// steps returns what the steps send and expect.
func steps(c *probe.Check) string {
	var all []string
	for _, s := range c.Steps {
		if s.Expect == nil {
			all = append(all, fmt.Sprintf("send %q", s.Send))
		} else {
			all = append(all, "expect "+s.Expect.String())
		}
	}
	return strings.Join(all, ", ")
}

func TestParseProbes(t *testing.T) {
	file, err := parse("landmarkd.yaml", []byte(`
services:
  cache:
    instances: none
    probe:
      connect: localhost:11211
      steps:
        - send: "version\r\n"
        - expect: "VERSION "
  dns:
    host:
      queue: {receive_queue: 53}
    probe:
      udp: "[::1]:53"
      every: 100ms
      within: 1m
      fall: 3
      rise: 2
      impact: critical
      steps: [{send_hex: 01 02 ff}, {expect_hex: 0102XX}]
  redis:
    probe: {unix: /run/redis.sock, every: 1h, steps: [{send: 'PING'}, {expect_regexp: '^\+PONG\r\n'}]}
  abstract:
    probe: {unix: "@redis", steps: [{expect: 1}]}
  elsewhere:
    probe: {connect: "192.0.2.9:25", steps: [{expect: "220"}]}
  plain: {}
`))
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, file)
	if n := file.Probes(); n != 5 {
		t.Errorf("there are %d probes, want 5", n)
	}
	for _, tt := range []struct {
		service, network, address string
		every, within, ttl        time.Duration
		fall, rise                int
		impact                    judge.Impact
		steps                     string
	}{
		{"cache", "tcp", "localhost:11211", time.Second, time.Second, 2500 * time.Millisecond, 1, 1, judge.ImpactReadiness, `send "version\r\n", expect "VERSION "`},
		{"dns", "udp", "[::1]:53", 100 * time.Millisecond, time.Minute, 120500 * time.Millisecond, 3, 2, judge.ImpactCritical, `send "\x01\x02\xff", expect 01 02 XX`},
		{"redis", "unix", "/run/redis.sock", time.Hour, time.Second, time.Hour + 1500*time.Millisecond, 1, 1, judge.ImpactReadiness, `send "PING", expect a match of "^\\+PONG\\r\\n"`},
		{"abstract", "unix", "@redis", time.Second, time.Second, 2500 * time.Millisecond, 1, 1, judge.ImpactReadiness, `expect "1"`},
		{"elsewhere", "tcp", "192.0.2.9:25", time.Second, time.Second, 2500 * time.Millisecond, 1, 1, judge.ImpactReadiness, `expect "220"`},
	} {
		host := file.Services[tt.service].Host
		l := host[len(host)-1]
		want := judge.Declared{Name: "probe", Kind: judge.KindCondition, Impact: tt.impact, TTL: tt.ttl}
		if l.Declared != want {
			t.Errorf("%s: got %+v, want %+v", tt.service, l.Declared, want)
		}
		c := l.Probe
		if string(c.Network) != tt.network || c.Address != tt.address || c.Every != tt.every || c.Within != tt.within || c.Fall != tt.fall || c.Rise != tt.rise || steps(c) != tt.steps {
			t.Errorf("%s: got %+v with %s, want %+v", tt.service, c, steps(c), tt)
		}
	}
}

func TestTooManyProbesAreRefused(t *testing.T) {
	var src strings.Builder
	src.WriteString("services:\n")
	for i := range MaxProbes {
		fmt.Fprintf(&src, "  s%d: {probe: {connect: \"localhost:1\", steps: [{expect: x}]}}\n", i)
	}
	if _, err := parse("f", []byte(src.String())); err != nil {
		t.Error(err)
	}
	src.WriteString("  more: {probe: {udp: \"localhost:1\", steps: [{expect: x}]}}\n")
	_, err := parse("f", []byte(src.String()))
	if want := "f:2:3: services: has 65 probes: use 64 at most\n"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// checkProbe checks that a probe is in range, independently of the code that reads it.
func checkProbe(t *testing.T, l registry.HostLandmark) {
	t.Helper()
	c, expects := l.Probe, false
	for _, s := range c.Steps {
		expects = expects || s.Expect != nil
		if (s.Expect == nil) != (len(s.Send) > 0) || len(s.Send) > probe.MaxStep {
			t.Errorf("a step is %+v", s)
		}
	}
	within := func(d, lowest, highest time.Duration) bool { return lowest <= d && d <= highest }
	if l.Name != "probe" || l.Kind != judge.KindCondition || l.Impact < 1 || l.Impact > 4 || l.TTL < c.Every+c.Within ||
		!within(c.Every, 100*time.Millisecond, time.Hour) || !within(c.Within, 100*time.Millisecond, time.Minute) ||
		c.Fall < 1 || c.Fall > 100 || c.Rise < 1 || c.Rise > 100 || !expects || len(c.Steps) > probe.MaxSteps ||
		c.Address == "" || c.Network == "" || l.UDP || l.Port.IsValid() || l.Address.IsValid() {
		t.Errorf("the probe is %+v of %+v", c, l)
	}
}
