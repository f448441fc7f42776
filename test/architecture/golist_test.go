// Package architecture tests the structure of the code: which package may import
// which, which modules each program depends on, and that no unit test waits by
// sleeping.
package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module is the path of this module.
const module = "github.com/landmark-health/landmark"

// goPackage is a package as go list describes it.
type goPackage struct {
	ImportPath string
	Doc        string // the first sentence of the package's comment
	Dir        string
	Standard   bool
	Imports    []string // without those of tests
	Deps       []string // all imports, direct and indirect
	Module     *struct{ Path string }

	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

// path returns the package's path within this module. ok is false for packages of
// other modules.
func (p goPackage) path() (path string, ok bool) {
	return strings.CutPrefix(p.ImportPath, module+"/")
}

// packages returns every package of this module and all that they depend on, by
// import path, as built for linux/amd64 on any machine.
func packages(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps",
		"-json=ImportPath,Doc,Dir,Standard,Imports,Deps,Module,GoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}

	found := map[string]goPackage{}
	decoder := json.NewDecoder(strings.NewReader(string(stdout)))
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatalf("reading go list's output: %v", err)
		}
		found[p.ImportPath] = p
	}
}

// root returns the directory of this module's go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
