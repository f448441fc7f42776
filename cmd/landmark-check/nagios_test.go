package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/nettest"
	"github.com/landmark-health/landmark/lmp"
)

func TestNagiosLine(t *testing.T) {
	for want, a := range map[string]lmp.Answer{
		"LANDMARK OK - epg: SERVING|weight=100%;;;0;100 age=0.012s;;;0 failing=0;;;0 stood=3600.000s;;;0": {
			Status: lmp.StatusServing, Weight: 100, Age: 12 * time.Millisecond, StatusAge: time.Hour},
		"LANDMARK WARNING - epg: SERVING degraded to 60%|weight=60%;;;0;100 age=0.000s;;;0 failing=0;;;0 stood=0.000s;;;0": {
			Status: lmp.StatusServing, Weight: 60, Degraded: true},
		"LANDMARK WARNING - epg: SERVING degraded to 60% by queue?1, disk|weight=60%;;;0;100 age=0.000s;;;0 failing=1;;;0 stood=0.000s;;;0": {
			Status: lmp.StatusServing, Weight: 60, Failing: 1, Landmarks: []lmp.Landmark{
				{Name: "queue|1", State: lmp.StateDegraded}, {Name: "disk", State: lmp.StateFailing}, {Name: "loop", State: lmp.StateOK}}},
		"LANDMARK WARNING - epg: NOT_SERVING draining: drained by an operator|weight=0%;;;0;100 age=0.000s;;;0 failing=0;;;0 stood=0.000s;;;0": {
			Status: lmp.StatusNotServing, Cause: lmp.CauseDraining, Reason: "drained by an operator"},
		"LANDMARK CRITICAL - epg: NOT_SERVING failed: a?b?c|weight=0%;;;0;100 age=0.000s;;;0 failing=2;;;0 stood=0.000s;;;0": {
			Status: lmp.StatusNotServing, Cause: lmp.CauseFailed, Failing: 2, Reason: "a|b\nc"},
		"LANDMARK UNKNOWN - epg: SERVICE_UNKNOWN": {
			Status: lmp.StatusUnknownService, Cause: lmp.CauseUnknownService},
		"LANDMARK UNKNOWN - epg: SERVICE_UNKNOWN: no program has reported it": {
			Status: lmp.StatusUnknownService, Cause: lmp.CauseUnknownService, Reason: "no program has reported it"},
	} {
		if got := nagiosLine("epg", a, nil); got != want {
			t.Errorf("%+v is\n%s, want\n%s", a, got, want)
		}
	}
	many := lmp.Answer{Status: lmp.StatusServing, Weight: 10}
	for range 200 {
		many.Landmarks = append(many.Landmarks, lmp.Landmark{Name: "queue", State: lmp.StateDegraded})
	}
	if got, want := nagiosLine("epg", many, nil), "degraded to 10% by queue, queue, queue, 197 more|"; !strings.Contains(got, want) {
		t.Errorf("%s; want %q in it", got, want)
	}
}

func TestNagios(t *testing.T) {
	address := nettest.ServeUDP(t, "127.0.0.1:0", new(server).reply)
	for service, want := range map[string]struct {
		code int
		line string
	}{
		"epg":      {0, `LANDMARK OK - epg: SERVING\|weight=100%;;;0;100 age=0\.000s;;;0 failing=0;;;0 stood=0\.000s;;;0`},
		"degraded": {1, `LANDMARK WARNING - degraded: SERVING degraded to 30%\|.*`},
		"draining": {1, `LANDMARK WARNING - draining: NOT_SERVING draining\|.*`},
		"stalled":  {2, `LANDMARK CRITICAL - stalled: NOT_SERVING stalled\|.*`},
		"future":   {2, `LANDMARK CRITICAL - future: STATUS_9 cause 42\|.*`},
		"unknown":  {3, `LANDMARK UNKNOWN - unknown: SERVICE_UNKNOWN`},
	} {
		r := execute(t, program, "-addr", address, "-service", service, "-as", "nagios", "-timeout", "20s")
		if r.code != want.code || r.stderr != "" || !regexp.MustCompile("^"+want.line+"\n$").MatchString(r.stdout) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want exit %d and %s", service, r.code, r.stdout, r.stderr, want.code, want.line)
		}
	}
}

// To Nagios, bad arguments are UNKNOWN, on standard output, wherever -as is among them.
func TestNagiosBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-as", "nagios", "-no"},
		{"-no", "--as=nagios"},
		{"-timeout", "x", "-as", "nagios"},
		{"-as=nagios", "-weight", "7"},
		{"-as", "nagios", "epg"},
		{"-as", "nagios", "-version"},
		{"-as", "nagios", "-key-file", "/nonexistent"},
	} {
		r := execute(t, program, args...)
		if r.code != 3 || !strings.HasPrefix(r.stdout, "LANDMARK UNKNOWN - ") || strings.Count(r.stdout, "\n") != 1 || r.stderr != "" {
			t.Errorf("%q: exit %d, stdout %q, stderr %q; want exit 3 and one line on stdout", args, r.code, r.stdout, r.stderr)
		}
	}
	if r := execute(t, program, "-as", "nagios", "-h"); r.code != 3 || r.stdout != "" || !strings.Contains(r.stderr, "-weight") {
		t.Errorf("-h: exit %d, stdout %q, stderr %q; want exit 3 and the flags on stderr", r.code, r.stdout, r.stderr)
	}
}
