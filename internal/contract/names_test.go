package contract

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		what      string
		check     func(string) error
		good, bad []string
	}{
		{"service", CheckServiceName, []string{
			"epg", "e", "9", "EPG", "a.b_c-d", "a-", "a.", "a--b", strings.Repeat("x", 90),
			// Words that only look like the aspects'.
			"ready", "readinessx", "xreadiness", "readiness-epg", "epg_readiness", "epg.liveness", "Readiness", "epg-Startup",
		}, []string{
			"", "-", "-epg", ".epg", "_epg", "e pg", "epg/a", "epg\n", "épg", "epg\x00", strings.Repeat("x", 91),
			"readiness", "liveness", "startup", "epg-readiness", "epg-liveness", "epg-startup", "epg-liveness-readiness", "--startup",
		}},
		{"instance", CheckInstanceName, []string{
			"a", " ", "~", "4711-K7QXA2MB", "-", strings.Repeat("i", 128),
		}, []string{
			"", "é", "a\n", "a\x7f", "a\xff", strings.Repeat("i", 129),
		}},
		{"landmark", CheckLandmarkName, []string{
			"main loop", "é", "日本", "-", strings.Repeat("n", 128), strings.Repeat("é", 64),
		}, []string{
			"", "a\tb", "a\u009bb", "a\u202eb", "a\u00a0b", "a\ue000b", "a\xff", strings.Repeat("n", 129), strings.Repeat("é", 65),
		}},
	} {
		for _, name := range tt.good {
			if err := tt.check(name); err != nil {
				t.Errorf("%s name %q: %v", tt.what, name, err)
			}
		}
		for _, name := range tt.bad {
			if tt.check(name) == nil {
				t.Errorf("%s name %q is allowed", tt.what, name)
			}
		}
	}
}
