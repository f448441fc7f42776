//go:build e2e

package e2e_test

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// buildCServer builds examples/epgd-c.
var buildCServer = sync.OnceValue(func() error {
	sources, err := filepath.Glob("../../examples/epgd-c/*.c")
	if err != nil {
		return err
	}
	return exec.Command("cc", append(sources, "-std=c99", "-O2", "-o", program("epgd-c"))...).Run()
})

// needCServer builds the EPG server in C.
func needCServer(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("there is no C compiler")
	}
	if err := buildCServer(); err != nil {
		t.Fatalf("building epgd-c: %v", err)
	}
}
