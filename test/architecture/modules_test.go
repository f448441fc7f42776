package architecture

import (
	"flag"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.deps from what the code depends on now")

// The modules that the agent and each command are built from are those in
// testdata, so that a new dependency shows in review.
func TestModulesMatchTestdata(t *testing.T) {
	got := map[string]string{}
	all := packages(t)
	for _, p := range all {
		if own, ok := p.path(); ok && (own == "agent" || matches("cmd/*", own)) {
			got[path.Base(own)+".deps"] = modulesOf(p, all)
		}
	}

	if *update {
		for name, list := range got {
			if err := os.WriteFile(filepath.Join("testdata", name), []byte(list), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}

	want := map[string]string{}
	files, err := filepath.Glob("testdata/*.deps")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		list, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want[filepath.Base(file)] = string(list)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules differ from testdata (-want +got); if that is intended,"+
			" run go test ./test/architecture -update:\n%s", diff)
	}
}

// modulesOf returns the other modules that p is built from, one a line.
func modulesOf(p goPackage, all map[string]goPackage) string {
	var modules []string
	for _, dep := range p.Deps {
		if m := all[dep].Module; m != nil && m.Path != module {
			modules = append(modules, m.Path+"\n")
		}
	}
	slices.Sort(modules)
	return strings.Join(slices.Compact(modules), "")
}
