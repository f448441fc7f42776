package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/operations.md has every path of HTTP that the front ends know, and no other. A path
// that ends in a slash in the code is followed by a name in the documentation.
func TestHTTPPathsAreDocumented(t *testing.T) {
	_, table, _ := strings.Cut(readFile(t, "docs/operations.md"), "\n**Paths of HTTP.**")
	table, _, _ = strings.Cut(table, "\n\n**")
	var documented []string
	for _, path := range regexp.MustCompile("`(/[a-z/-]*)[A-Z…]*`").FindAllStringSubmatch(table, -1) {
		documented = append(documented, path[1])
	}
	var known []string
	for _, dir := range []string{"internal/frontend/web", "internal/frontend/page"} {
		files, err := filepath.Glob(filepath.Join(root(t), dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range regexp.MustCompile(`"(/[a-z/-]*)"`).FindAllStringSubmatch(string(text), -1) {
				known = append(known, path[1])
			}
		}
	}
	slices.Sort(known)
	slices.Sort(documented)
	if known, documented = slices.Compact(known), slices.Compact(documented); len(known) < 8 || !slices.Equal(known, documented) {
		t.Errorf("docs/operations.md has the paths\n%q\nand the front ends know\n%q", documented, known)
	}
}
