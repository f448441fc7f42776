package contract

import (
	"strings"
	"testing"
)

func TestCheckNames(t *testing.T) {
	for _, tt := range []struct {
		name           string
		check          func(string) error
		valid, invalid []string
	}{
		{"CheckServiceName", CheckServiceName, []string{
			"epg", "e", "9", "EPG", "a.b_c-d", "a-", "a.", "a--b", strings.Repeat("x", 90),
			// These contain an aspect, but do not end in "-" and one.
			"ready", "readinessx", "xreadiness", "readiness-epg", "epg_readiness", "epg.liveness", "Readiness", "epg-Startup",
		}, []string{
			"", "-", "-epg", ".epg", "_epg", "e pg", "epg/a", "epg\n", "épg", "epg\x00", strings.Repeat("x", 91),
			"readiness", "liveness", "startup", "epg-readiness", "epg-liveness", "epg-startup", "epg-liveness-readiness", "--startup",
		}},
		{"CheckInstanceName", CheckInstanceName, []string{
			"a", " ", "~", "4711-K7QXA2MB", "-", strings.Repeat("i", 128),
		}, []string{
			"", "é", "a\n", "a\x7f", "a\xff", strings.Repeat("i", 129),
		}},
		{"CheckLandmarkName", CheckLandmarkName, []string{
			"main loop", "é", "日本", "-", strings.Repeat("n", 128), strings.Repeat("é", 64),
		}, []string{
			"", "a\tb", "a\u009bb", "a\u202eb", "a\u00a0b", "a\ue000b", "a\xff", strings.Repeat("n", 129), strings.Repeat("é", 65),
		}},
	} {
		for _, name := range tt.valid {
			if err := tt.check(name); err != nil {
				t.Errorf("%s(%q) = %v, want nil", tt.name, name, err)
			}
		}
		for _, name := range tt.invalid {
			if tt.check(name) == nil {
				t.Errorf("%s(%q) = nil, want an error", tt.name, name)
			}
		}
	}
}

func TestCutText(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"abcd", "abcd"},
		{"abcde", "abcd"},
		{"abcé", "abc"},
		{"abé!", "abé"},
		{"a😀", "a"},
		{"\x80\x80\x80\x80\x80", ""},
	} {
		if got := CutText(tt.text, 4); got != tt.want {
			t.Errorf("CutText(%q, 4) = %q, want %q", tt.text, got, tt.want)
		}
	}
}
