package bfd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landmark-health/landmark/internal/keyfile"
)

func writeKey(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // WriteFile applies the umask
		t.Fatal(err)
	}
	return path
}

func TestReadKey(t *testing.T) {
	key, err := ReadKey(writeKey(t, 0o400, "# the director\r\n\n  7 : 6c616E646D61726b \r\n"))
	if err != nil || key != landmarkKey {
		t.Errorf("read %v, %v; want %v", key, err, landmarkKey)
	}
}

func TestReadKeyErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "has no line NUMBER:HEX"},
		{"# nothing\n", "has no line NUMBER:HEX"},
		{"75e5e\n", "has no line NUMBER:HEX"},
		{"256:5e5e", "not from 0 to 255"},
		{"-1:5e5e", "not from 0 to 255"},
		{"1:5e5", "not hexadecimal"},
		{"1:", "a secret of 0 bytes: use 1 to 20"},
		{"1:0000", "a secret of 2 bytes: use 1 to 20, not all of them zero"},
		{"1:" + strings.Repeat("5e", 21), "a secret of 21 bytes"},
		{"1:5e5e\n2:5e5e", "has more than one key"},
		{strings.Repeat("#", maxKeyFile+1), "is over 4096 bytes long"},
	} {
		_, err := ReadKey(writeKey(t, 0o600, test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.20q: the error is %v, want %q in it", test.text, err, test.want)
		} else if strings.Contains(err.Error(), "5e5e") {
			t.Errorf("%.20q: the error shows the secret: %v", test.text, err)
		}
	}
}

func TestReadKeyRejectsUnsafeFiles(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		path := writeKey(t, mode, "1:5e5e")
		if _, err := ReadKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: the error is %v, want the chmod command", mode, err)
		}
	}
	path := writeKey(t, 0o600, "1:5e5e")
	if os.Getuid() != 0 { // root's files are safe for every user
		if _, err := keyfile.Open(path, os.Geteuid()+1); err == nil || !strings.Contains(err.Error(), "chown") {
			t.Errorf("another user's file: the error is %v, want the chown command", err)
		}
	}
	if _, err := ReadKey(t.TempDir()); err == nil {
		t.Error("ReadKey accepted a directory")
	}
	if _, err := ReadKey(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v, want os.ErrNotExist", err)
	}
}
