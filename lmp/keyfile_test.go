package lmp

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/landmark-health/landmark/internal/keyfile"
)

// The owner of a file can change its mode and the keys in it.
func TestReadKeysRejectsFileOfAnotherUser(t *testing.T) {
	path := writeKeys(t, 0o600, "1:"+strings.Repeat("5e", 16))
	read := ReadKeys
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 1001, 1001); err != nil {
			t.Fatal(err)
		}
	} else { // only root can change the owner, so read as another user instead
		read = func(path string) (Keys, error) {
			_, err := keyfile.Open(path, os.Geteuid()+1)
			return nil, err
		}
	}
	if _, err := read(path); err == nil || !strings.Contains(err.Error(), "belongs to user") || !strings.Contains(err.Error(), "run: chown ") {
		t.Errorf("the error is %v, want the owner and the chown command", err)
	}
}

// landmarkd's user reads a file that root has written.
func TestReadKeysAcceptsFileOfRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can create a file of root")
	}
	f, err := keyfile.Open(writeKeys(t, 0o600, ""), 1001)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// ReadKeys must not wait for the writer of a pipe.
func TestReadKeysRejectsPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeys(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("the error is %v, want that it is not a regular file", err)
	}
}
