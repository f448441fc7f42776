package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/logtest"
)

// fixture is a fileSync that runs, in fake time.
type fixture struct {
	*fileSync
	t   *testing.T
	log *logtest.Buffer
	end context.CancelFunc

	firsts atomic.Int64 // calls of first
}

// withFileSync runs the test with a fileSync of the file rs1 in an empty directory, and
// checks that no other file is left there.
func withFileSync(t *testing.T, prepare func(path string), test func(*fixture)) {
	t.Helper()
	dir := t.TempDir()
	prepare(filepath.Join(dir, "rs1"))
	synctest.Test(t, func(t *testing.T) {
		log := new(logtest.Buffer)
		f := &fixture{fileSync: newFileSync(newTrackFile(dir, "rs1"), slog.New(slog.NewTextHandler(log, nil))), t: t, log: log}
		ctx, end := context.WithCancel(t.Context())
		f.end = end
		ended := make(chan struct{})
		go func() { f.run(ctx, func() { f.firsts.Add(1) }); close(ended) }()
		test(f)
		end()
		<-ended
	})
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != "rs1" {
			t.Errorf("%s was left", e.Name())
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// says checks the content of the file, once all goroutines wait.
func (f *fixture) says(want string) {
	f.t.Helper()
	synctest.Wait()
	got, err := os.ReadFile(f.file.path)
	if err != nil || string(got) != want {
		f.t.Errorf("the file says %q, %v; want %q", got, err, want)
	}
}

// logged checks how often the text was logged.
func (f *fixture) logged(what string, times int) {
	f.t.Helper()
	synctest.Wait()
	if got := strings.Count(f.log.String(), what); got != times {
		f.t.Errorf("%q was logged %d times, want %d:\n%s", what, got, times, f.log)
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFileSyncWritesEachValue(t *testing.T) {
	withFileSync(t, func(string) {}, func(f *fixture) {
		for value, want := range map[int]string{0: "0\n", out: "-2147483648\n", -7: "-7\n"} {
			f.set(value)
			f.says(want)
		}
		f.set(1)
		f.set(2)
		f.set(3) // the latest wins
		f.says("3\n")
		info, err := os.Stat(f.file.path)
		if err != nil || info.Mode().Perm()&0o444 == 0 {
			t.Errorf("not readable: %v, %v", info.Mode(), err)
		}
		f.logged("level", 0)
	})
}

// Nothing is written before a value is set, at the end, or if the file has the value.
func TestFileSyncWritesOnlyChanges(t *testing.T) {
	for _, content := range []string{"-25\n", "-25"} {
		withFileSync(t, func(path string) { writeFile(t, path, content) }, func(f *fixture) {
			before := inode(t, f.file.path)
			time.Sleep(time.Hour)
			f.says(content)
			f.set(-25)
			time.Sleep(time.Minute)
			f.set(-25)
			f.says(content)
			f.end()
			f.says(content)
			if inode(t, f.file.path) != before {
				t.Error("the file was written again")
			}
		})
	}
	withFileSync(t, func(path string) { writeFile(t, path, "old") }, func(f *fixture) {
		time.Sleep(time.Hour)
		f.says("old")
	})
	withFileSync(t, func(string) {}, func(f *fixture) {
		time.Sleep(time.Hour)
		if _, err := os.Lstat(f.file.path); !os.IsNotExist(err) {
			t.Errorf("a file exists before the first value: %v", err)
		}
	})
}

// A reader always finds a whole value.
func TestFileSyncNeverTruncates(t *testing.T) {
	withFileSync(t, func(path string) { writeFile(t, path, "-1\n") }, func(f *fixture) {
		old, err := os.Open(f.file.path)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		f.set(out)
		f.says("-2147483648\n")
		content := make([]byte, 100)
		if n, _ := old.Read(content); string(content[:n]) != "-1\n" {
			t.Errorf("a reader of the old file got %q", content[:n])
		}
	})
}

// Any change by another program is undone within a second.
func TestFileSyncRestoresFile(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"removed":   os.Remove,
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"edited":    func(path string) error { return os.WriteFile(path, []byte("0\n"), 0o644) },
		"garbled":   func(path string) error { return os.WriteFile(path, []byte("-25x\n"), 0o644) },
		"prolonged": func(path string) error { return os.WriteFile(path, []byte("-25\n"+strings.Repeat("9", 1<<20)), 0o644) },
		"a pipe": func(path string) error {
			os.Remove(path)
			return syscall.Mkfifo(path, 0o644)
		},
		"a link": func(path string) error {
			os.Remove(path)
			return os.Symlink("/dev/zero", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			withFileSync(t, func(string) {}, func(f *fixture) {
				f.set(-25)
				f.says("-25\n")
				if err := change(f.file.path); err != nil {
					t.Fatal(err)
				}
				time.Sleep(checkInterval)
				f.says("-25\n")
			})
		})
	}
}

// A write error is logged once, and the write is repeated until it succeeds.
func TestFileSyncRetries(t *testing.T) {
	withFileSync(t, func(path string) {
		if err := os.MkdirAll(filepath.Join(path, "full"), 0o755); err != nil {
			t.Fatal(err)
		}
	}, func(f *fixture) {
		f.set(0)
		f.set(out)
		time.Sleep(time.Minute)
		f.logged("cannot be written", 1)
		f.logged("written again", 0)
		if f.firsts.Load() != 0 {
			t.Error("first was called before the file could be written")
		}
		if err := os.RemoveAll(f.file.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkInterval)
		f.says("-2147483648\n")
		f.logged("written again", 1)
		dir := filepath.Dir(f.file.path)
		if err := os.Rename(dir, dir+"-"); err != nil {
			t.Fatal(err)
		}
		f.set(0)
		time.Sleep(time.Minute)
		f.logged("cannot be written", 2)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkInterval)
		f.says("0\n")
		f.logged("written again", 2)
		if f.firsts.Load() != 1 {
			t.Errorf("first was called %d times, want once", f.firsts.Load())
		}
	})
}

// Without room for a new file each value is written over the old one, and nothing of the
// old one is left.
func TestFileSyncWritesWithoutRoom(t *testing.T) {
	for _, before := range []string{"0\n", "-100\n", "0\n" + strings.Repeat("9", 100)} {
		withFileSync(t, func(path string) {
			writeFile(t, path, before)
			noRoom(t, path)
		}, func(f *fixture) {
			inodeBefore := inode(t, f.file.path)
			f.set(-99)
			f.says("-99\n")
			f.set(out)
			f.says("-2147483648\n")
			f.set(-25)
			f.says("-25\n")
			f.set(out)
			f.says("-2147483648\n")
			f.set(0)
			f.says("0\n")
			f.logged("cannot be written", 0)
			if inode(t, f.file.path) != inodeBefore {
				t.Error("the file was replaced")
			}
			os.RemoveAll(f.file.temp)
			f.set(-1)
			f.says("-1\n")
			if inode(t, f.file.path) == inodeBefore {
				t.Error("with room, the file was not replaced")
			}
		})
	}
	// Only regular files are written to.
	withFileSync(t, func(path string) {
		if err := syscall.Mkfifo(path, 0o644); err != nil {
			t.Fatal(err)
		}
		noRoom(t, path)
	}, func(f *fixture) {
		f.set(out)
		f.logged("cannot be written", 1)
		os.RemoveAll(f.file.temp)
	})
}

// noRoom makes it impossible to replace the file.
func noRoom(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(newTrackFile(filepath.Split(path)).temp, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// The temporary file of a killed process is removed.
func TestFileSyncRemovesTemporaryFile(t *testing.T) {
	withFileSync(t, func(path string) {
		writeFile(t, filepath.Join(filepath.Dir(path), ".rs1.tmp"), "-2")
	}, func(f *fixture) {
		synctest.Wait()
		if _, err := os.Lstat(f.file.temp); !os.IsNotExist(err) {
			t.Errorf("the temporary file still exists: %v", err)
		}
		if err := os.Symlink("/dev/null", f.file.temp); err != nil {
			t.Fatal(err)
		}
		f.set(0)
		f.says("0\n")
	})
}
