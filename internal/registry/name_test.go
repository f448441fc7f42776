package registry

import (
	"strings"
	"testing"

	"github.com/landmark-health/landmark/internal/judge"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{
		"epg", "e", "9", "EPG", "a.b_c-d", "a-", "a.", "a--b", strings.Repeat("x", 90),
		// Words that only look like the aspects'.
		"ready", "readinessx", "xreadiness", "readiness-epg", "epg_readiness", "epg.liveness", "Readiness", "epg-Startup",
	} {
		if err := CheckName(good); err != nil {
			t.Errorf("a service may be named so: %v", err)
		}
	}
	for _, bad := range []string{
		"", "-", "-epg", ".epg", "_epg", "e pg", "epg/a", "epg\n", "épg", "epg\x00", strings.Repeat("x", 91),
		"readiness", "liveness", "startup", "epg-readiness", "epg-liveness", "epg-startup", "epg-liveness-readiness", "--startup",
	} {
		if CheckName(bad) == nil {
			t.Errorf("a service may be named %q", bad)
		}
	}
}

func TestResolve(t *testing.T) {
	for name, want := range map[string]struct {
		service string
		aspect  judge.Aspect
	}{
		"":                       {"", judge.Readiness},
		"readiness":              {"", judge.Readiness},
		"liveness":               {"", judge.Liveness},
		"startup":                {"", judge.Startup},
		"epg":                    {"epg", judge.Readiness},
		"epg-readiness":          {"epg", judge.Readiness},
		"epg-liveness":           {"epg", judge.Liveness},
		"epg-startup":            {"epg", judge.Startup},
		"e-startup":              {"e", judge.Startup},
		"a-b-liveness":           {"a-b", judge.Liveness},
		"a--liveness":            {"a-", judge.Liveness},
		"xreadiness":             {"xreadiness", judge.Readiness},
		"epg-Liveness":           {"epg-Liveness", judge.Readiness},
		"epg-liveness-readiness": {"epg-liveness", judge.Readiness}, // which no service is named
		"-liveness":              {"-liveness", judge.Readiness},
		"-":                      {"-", judge.Readiness},
	} {
		service, aspect := resolve([]byte(name))
		if string(service) != want.service || aspect != want.aspect {
			t.Errorf("%q is the %s of %q, want the %s of %q", name, aspect, service, want.aspect, want.service)
		}
	}
}

// TestEveryServiceCanBeAskedFor holds that no name a service may have is taken
// for another's.
func TestEveryServiceCanBeAskedFor(t *testing.T) {
	for _, service := range []string{"epg", "e", "a-", "xstartup", "readiness-epg", strings.Repeat("x", MaxName)} {
		if err := CheckName(service); err != nil {
			t.Fatal(err)
		}
		for _, asked := range []string{service, service + "-readiness", service + "-liveness", service + "-startup"} {
			if got, _ := resolve([]byte(asked)); string(got) != service {
				t.Errorf("%q asks for %q, want %q", asked, got, service)
			}
		}
	}
}
