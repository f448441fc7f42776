package bootfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Discard removes the file, and empties one in a directory that it cannot write.
func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Discard(path); err != nil {
		t.Errorf("without a file: %v", err)
	}
	defer os.Chmod(dir, 0o755)
	for _, mode := range []os.FileMode{0o755, 0o555} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		asOwner(t, path, func() {
			if err := Discard(path); err != nil {
				t.Errorf("in a directory of mode %#o: %v", mode, err)
			}
		})
		b, err := os.ReadFile(path)
		if removed := errors.Is(err, os.ErrNotExist); removed != (mode == 0o755) || len(b) > 0 {
			t.Errorf("in a directory of mode %#o: the file has %q, %v", mode, b, err)
		}
	}
}

// asOwner calls do as the owner of the file and its directory, who is not root: root may
// write everywhere.
func asOwner(t *testing.T, path string, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	const nobody = 65534
	dir := filepath.Dir(path)
	err := errors.Join(os.Chown(path, nobody, nobody), os.Chown(dir, nobody, nobody), os.Chmod(filepath.Dir(dir), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		if err := unix.Setfsuid(nobody); err != nil {
			t.Error(err)
		}
		do()
	}()
	<-done
}
