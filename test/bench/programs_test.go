package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bench builds what it measures from the sources, which are not there outside the
// repository.
func TestStartOutsideTheRepositoryFails(t *testing.T) {
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "go.mod"), []byte("module example.com/other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"in no module": t.TempDir(), "in another module": elsewhere} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(dir)
			if err := run(t.Context(), []string{"-short"}); err == nil || !strings.Contains(err.Error(), "start bench in the repository") {
				t.Errorf("got the error %v, want one that says where to start bench", err)
			}
		})
	}
}
