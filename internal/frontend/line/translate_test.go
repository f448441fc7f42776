package line

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// Each verdict, as people and as HAProxy read it.
func TestVerdictsAreTranslated(t *testing.T) {
	for name, tt := range map[string]struct {
		happens      func(*fixture)
		check, agent string
	}{
		"healthy":          {func(*fixture) {}, "UP 100%", "up ready 100%"},
		"degraded":         {func(f *fixture) { f.process.fill(140) }, "UP 60% # degraded", "up ready 60% # degraded"},
		"stalled":          {func(f *fixture) { f.process.stall() }, "DOWN # stalled: main loop last answered 3 s ago, allowed 2 s", "down # stalled: main loop last answered 3 s ago, allowed 2 s"},
		"drained":          {func(f *fixture) { f.process.drain(true) }, "DRAIN # draining: drained by the program itself", "drain up # draining: drained by the program itself"},
		"drained, stalled": {func(f *fixture) { f.process.drain(true); f.process.stall() }, "DOWN # stalled: main loop last answered 3 s ago, allowed 2 s", "down # stalled: main loop last answered 3 s ago, allowed 2 s"},
		"by an operator":   {func(f *fixture) { f.registry.Drain("epg", 0) }, "DRAIN # draining: drained by an operator", "drain up # draining: drained by an operator"},
		"stopped":          {func(f *fixture) { f.process.Session.Goodbye() }, "DOWN # stopped: the program said goodbye 0 ms ago", "down # stopped: the program said goodbye 0 ms ago"},
		"lost":             {func(f *fixture) { f.process.Session.Disconnect() }, "DOWN # lost: the program's connection ended 0 ms ago without a goodbye", "down # lost: the program's connection ended 0 ms ago without a goodbye"},
		"stale":            {func(f *fixture) { time.Sleep(1501 * time.Millisecond) }, "DOWN # stale: the program is connected but last reported 1.5 s ago", "down # stale: the program is connected but last reported 1.5 s ago"},
		"failed": {func(f *fixture) { f.process.loseUpstream("it is up, ready, 100%\n# UP\xFF é") },
			"DOWN # failed: U_PSTREAM does not hold: it is u_p, ready, 100%?# U_P? ?", "down # failed: U_PSTREAM does not hold: it is u_p, ready, 100%?# U_P? ?"},
		"healthy again": {func(f *fixture) { f.process.drain(true); f.process.stall(); f.process.drain(false); f.process.work() }, "UP 100%", "up ready 100%"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 0, func(t *testing.T, f *fixture) {
				tt.happens(f)
				c := f.connect()
				if got := c.request("check epg"); got != tt.check {
					t.Errorf("check is answered %q, want %q", got, tt.check)
				}
				if got := c.request("agent epg"); got != tt.agent {
					t.Errorf("agent is answered %q, want %q", got, tt.agent)
				}
				c.disconnect()
			})
		})
	}
}

func TestDrainAffectsOnlyReadiness(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.process.drain(true)
		c := f.connect()
		for name, want := range map[string]string{
			"epg-readiness": "DRAIN #", "readiness": "DRAIN # draining: epg: ", "epg-liveness": "UP 100%", "liveness": "UP 100%", "epg-startup": "UP 100%",
		} {
			if got := c.request("check " + name); !strings.HasPrefix(got, want) {
				t.Errorf("%s is answered %q, want %q", name, got, want)
			}
		}
		c.disconnect()
	})
}

// A pattern that looks for UP finds it only in the answers that say so.
func TestSanitizeRemovesUp(t *testing.T) {
	if regexp.MustCompile(`(?i)up`).MatchString(usage) {
		t.Errorf("the usage contains UP: %q", usage)
	}
	for text, want := range map[string]string{
		"UPSTREAM":                "U_PSTREAM",
		"backup is up":            "backu_p is u_p",
		"uUpP":                    "uU_pP",
		"updown Up uP":            "u_pdown U_p u_P",
		"a\x00b\r\nc\td":          "a?b??c?d",
		"UüP":                     "U?P",
		strings.Repeat("up", 200): strings.Repeat("u_p", 127) + "u",
	} {
		if got := sanitize(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
