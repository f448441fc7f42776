package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// fullAt is the environment variable for the directory of the tmpfs, in the process that
// the test starts.
const fullAt = "LANDMARK_WATCH_TEST_TMPFS"

// On a tmpfs without a free block, a server goes out and comes back at each weight.
func TestFullFileSystem(t *testing.T) {
	dir := os.Getenv(fullAt)
	if dir == "" {
		if out, err := exec.Command("unshare", "--user", "--map-root-user", "--mount", "true").CombinedOutput(); err != nil {
			t.Skipf("cannot make a mount namespace: %v %s", err, out)
		}
		cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
			`mount -t tmpfs -o size=64k landmark "$0" && exec "$@"`, t.TempDir(), os.Args[0], "-test.run=^TestFullFileSystem$")
		cmd.Env = append(os.Environ(), fullAt+"="+cmd.Args[7])
		if output, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(output, []byte("PASS")) {
			t.Fatalf("%v:\n%s", err, output)
		}
		return
	}

	f := newTrackFile(dir, "rs1")
	if err := f.write(0); err != nil {
		t.Fatal(err)
	}
	fill, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = fill.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.replace(0); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the file system is not full: %v", err)
	}
	for _, value := range []int{out, 0, -25, out, -100, -99, out, -1, 0} {
		if err := f.write(value); err != nil || !f.has(value) {
			content, _ := os.ReadFile(f.path)
			t.Fatalf("the file says %q, want %d: %v", content, value, err)
		}
	}
}
