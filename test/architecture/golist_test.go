// Package imports holds the tests of the code's own order: which package may
// import which, which modules each program depends on, and that no unit test
// waits by sleeping. Nothing else runs here.
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

// module is this module's path, and the root of every path of its own.
const module = "github.com/landmark-health/landmark"

// goPackage is what go list says of one package, its tests apart.
type goPackage struct {
	ImportPath string
	Dir        string
	Standard   bool
	Imports    []string
	Deps       []string // of the imports' imports too
	Module     *struct{ Path string }

	TestGoFiles  []string
	XTestGoFiles []string
}

// room is the package's path within this module; ok is false outside of it.
func (p goPackage) room() (room string, ok bool) {
	return strings.CutPrefix(p.ImportPath, module+"/")
}

// packages is every package of this module and all that they depend on, by
// import path, as they are built for linux/amd64 whatever this machine is.
func packages(t *testing.T) map[string]goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps",
		"-json=ImportPath,Dir,Standard,Imports,Deps,Module,TestGoFiles,XTestGoFiles", "./...")
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

// root is the directory of this module's go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
