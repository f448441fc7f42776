package registry

import (
	"strings"
	"testing"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
)

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
	for _, service := range []string{"epg", "e", "a-", "xstartup", "readiness-epg", strings.Repeat("x", contract.MaxServiceName)} {
		if err := contract.CheckServiceName(service); err != nil {
			t.Fatal(err)
		}
		for _, asked := range []string{service, service + "-readiness", service + "-liveness", service + "-startup"} {
			if got, _ := resolve([]byte(asked)); string(got) != service {
				t.Errorf("%q asks for %q, want %q", asked, got, service)
			}
		}
	}
}
