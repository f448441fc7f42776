package line

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// Each way in which a program can be, as it is told to people and to HAProxy.
func TestVerdictsInWords(t *testing.T) {
	for name, tt := range map[string]struct {
		happens      func(*bubble)
		check, agent string
	}{
		"well":             {func(*bubble) {}, "UP 100%", "up ready 100%"},
		"degraded":         {func(b *bubble) { b.program.fill(140) }, "UP 60% # degraded", "up ready 60% # degraded"},
		"stalled":          {func(b *bubble) { b.program.stall() }, "DOWN # stalled: main loop last answered 3 s ago, allowed 2 s", "down # stalled: main loop last answered 3 s ago, allowed 2 s"},
		"drained":          {func(b *bubble) { b.program.drain(true) }, "DRAIN # draining: drained by the program itself", "drain up # draining: drained by the program itself"},
		"drained, stalled": {func(b *bubble) { b.program.drain(true); b.program.stall() }, "DOWN # stalled: main loop last answered 3 s ago, allowed 2 s", "down # stalled: main loop last answered 3 s ago, allowed 2 s"},
		"by an operator":   {func(b *bubble) { b.registry.Drain("epg", 0) }, "DRAIN # draining: drained by an operator", "drain up # draining: drained by an operator"},
		"stopped":          {func(b *bubble) { b.program.session.Goodbye() }, "DOWN # stopped: the program said goodbye 0 ms ago", "down # stopped: the program said goodbye 0 ms ago"},
		"lost":             {func(b *bubble) { b.program.session.Disconnect() }, "DOWN # lost: the program's connection ended without a goodbye 0 ms ago", "down # lost: the program's connection ended without a goodbye 0 ms ago"},
		"stale":            {func(b *bubble) { time.Sleep(1501 * time.Millisecond) }, "DOWN # stale: the program is connected but last reported 1.5 s ago", "down # stale: the program is connected but last reported 1.5 s ago"},
		"failed": {func(b *bubble) { b.program.lose("it is up, ready, 100%\n# UP\xFF é") },
			"DOWN # failed: U_PSTREAM does not hold: it is u_p, ready, 100%?# U_P? ?", "down # failed: U_PSTREAM does not hold: it is u_p, ready, 100%?# U_P? ?"},
		"as it was": {func(b *bubble) { b.program.drain(true); b.program.stall(); b.program.drain(false); b.program.work() }, "UP 100%", "up ready 100%"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 0, func(t *testing.T, b *bubble) {
				tt.happens(b)
				a := b.connect()
				if got := a.ask("check epg"); got != tt.check {
					t.Errorf("check is told %q, want %q", got, tt.check)
				}
				if got := a.ask("agent epg"); got != tt.agent {
					t.Errorf("agent is told %q, want %q", got, tt.agent)
				}
				a.leave()
			})
		})
	}
}

// What an aspect is, a drain does not touch but readiness.
func TestAspects(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bubble) {
		b.program.drain(true)
		a := b.connect()
		for name, want := range map[string]string{
			"epg-readiness": "DRAIN #", "readiness": "DRAIN # draining: epg: ", "epg-liveness": "UP 100%", "liveness": "UP 100%", "epg-startup": "UP 100%",
		} {
			if got := a.ask("check " + name); !strings.HasPrefix(got, want) {
				t.Errorf("%s is told %q, want %q", name, got, want)
			}
		}
		a.leave()
	})
}

// A pattern that looks for UP finds it in no line but one that says so, in either
// case, wherever it looks.
func TestUpIsNowhereElse(t *testing.T) {
	if regexp.MustCompile(`(?i)up`).MatchString(usage) {
		t.Errorf("UP is in %q", usage)
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
		if got := harmless(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
