package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each package says in its comment what it is.
func TestPackagesHaveAComment(t *testing.T) {
	for _, p := range packages(t) {
		if own, ok := p.path(); ok && len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no comment of the package", own)
		}
	}
}

// TestArchitectureListsPackages compares the list in docs/architecture.md with the packages
// that there are. Below proto and test one line is enough for several packages.
func TestArchitectureListsPackages(t *testing.T) {
	_, section, found := strings.Cut(readFile(t, "docs/architecture.md"), "\n## Packages\n")
	if !found {
		t.Fatal("docs/architecture.md has no section on packages")
	}
	section, _, _ = strings.Cut(section, "\nImports run one way")
	listed := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^    (\S+?)/? +\S`).FindAllStringSubmatch(section, -1) {
		listed[line[1]] = true
		if _, err := os.Stat(filepath.Join(root(t), line[1])); err != nil {
			t.Errorf("docs/architecture.md lists %s, which does not exist", line[1])
		}
	}
	for _, p := range packages(t) {
		own, ok := p.path()
		if !ok || listed[own] || strings.HasPrefix(own, "proto/") || strings.HasPrefix(own, "test/") {
			continue
		}
		t.Errorf("docs/architecture.md does not list %s", own)
	}
}
