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
)

// kept is a keeper at work in a time of its own.
type kept struct {
	*keeper
	t   *testing.T
	log *output
	end context.CancelFunc

	firsts atomic.Int64 // how often it said that the file is true for the first time
}

// keeping runs the test with a keeper of the file rs1 in an empty directory, and
// checks that it leaves nothing else there.
func keeping(t *testing.T, prepare func(path string), test func(*kept)) {
	t.Helper()
	dir := t.TempDir()
	prepare(filepath.Join(dir, "rs1"))
	synctest.Test(t, func(t *testing.T) {
		log := new(output)
		k := &kept{keeper: newKeeper(newTrackFile(dir, "rs1"), slog.New(slog.NewTextHandler(log, nil))), t: t, log: log}
		ctx, end := context.WithCancel(t.Context())
		k.end = end
		ended := make(chan struct{})
		go func() { k.run(ctx, func() { k.firsts.Add(1) }); close(ended) }()
		test(k)
		end()
		<-ended
	})
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != "rs1" {
			t.Errorf("it left %s", e.Name())
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// says checks what the file holds, once all is done.
func (k *kept) says(want string) {
	k.t.Helper()
	synctest.Wait()
	got, err := os.ReadFile(k.file.path)
	if err != nil || string(got) != want {
		k.t.Errorf("the file says %q, %v; want %q", got, err, want)
	}
}

// logged checks how often the log told of what.
func (k *kept) logged(what string, times int) {
	k.t.Helper()
	synctest.Wait()
	if got := strings.Count(k.log.String(), what); got != times {
		k.t.Errorf("%q was logged %d times, want %d:\n%s", what, got, times, k.log)
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

func TestKeeperWritesEachValue(t *testing.T) {
	keeping(t, func(string) {}, func(k *kept) {
		for value, want := range map[int]string{0: "0\n", out: "-2147483648\n", -7: "-7\n"} {
			k.want(value)
			k.says(want)
		}
		k.want(1)
		k.want(2)
		k.want(3) // the latest counts
		k.says("3\n")
		info, err := os.Stat(k.file.path)
		if err != nil || info.Mode().Perm()&0o444 == 0 {
			t.Errorf("nobody can read it: %v, %v", info.Mode(), err)
		}
		k.logged("level", 0)
	})
}

// Nothing is written before there is a value, at the end, or where it stands
// already.
func TestKeeperLeavesWhatIsTrue(t *testing.T) {
	for _, content := range []string{"-25\n", "-25"} {
		keeping(t, func(path string) { writeFile(t, path, content) }, func(k *kept) {
			before := inode(t, k.file.path)
			time.Sleep(time.Hour)
			k.says(content)
			k.want(-25)
			time.Sleep(time.Minute)
			k.want(-25)
			k.says(content)
			k.end()
			k.says(content)
			if inode(t, k.file.path) != before {
				t.Error("the file was written anew")
			}
		})
	}
	keeping(t, func(path string) { writeFile(t, path, "old") }, func(k *kept) {
		time.Sleep(time.Hour)
		k.says("old")
	})
	keeping(t, func(string) {}, func(k *kept) {
		time.Sleep(time.Hour)
		if _, err := os.Lstat(k.file.path); !os.IsNotExist(err) {
			t.Errorf("before the first value there is a file: %v", err)
		}
	})
}

// A reader never finds anything but a whole value.
func TestKeeperNeverTruncates(t *testing.T) {
	keeping(t, func(path string) { writeFile(t, path, "-1\n") }, func(k *kept) {
		old, err := os.Open(k.file.path)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		k.want(out)
		k.says("-2147483648\n")
		content := make([]byte, 100)
		if n, _ := old.Read(content); string(content[:n]) != "-1\n" {
			t.Errorf("who had opened the old file reads %q", content[:n])
		}
	})
}

// What somebody else does to the file is undone within a second, whatever it is.
func TestKeeperMendsTheFile(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
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
			keeping(t, func(string) {}, func(k *kept) {
				k.want(-25)
				k.says("-25\n")
				if err := harm(k.file.path); err != nil {
					t.Fatal(err)
				}
				time.Sleep(again)
				k.says("-25\n")
			})
		})
	}
}

// A file that cannot be written is told of once, and tried until it stands.
func TestKeeperTriesAgain(t *testing.T) {
	keeping(t, func(path string) {
		if err := os.MkdirAll(filepath.Join(path, "full"), 0o755); err != nil {
			t.Fatal(err)
		}
	}, func(k *kept) {
		k.want(0)
		k.want(out)
		time.Sleep(time.Minute)
		k.logged("cannot be written", 1)
		k.logged("written again", 0)
		if k.firsts.Load() != 0 {
			t.Error("it is said to be true while it cannot be written")
		}
		if err := os.RemoveAll(k.file.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(again)
		k.says("-2147483648\n")
		k.logged("written again", 1)
		dir := filepath.Dir(k.file.path)
		if err := os.Rename(dir, dir+"-"); err != nil {
			t.Fatal(err)
		}
		k.want(0)
		time.Sleep(time.Minute)
		k.logged("cannot be written", 2)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		time.Sleep(again)
		k.says("0\n")
		k.logged("written again", 2)
		if k.firsts.Load() != 1 {
			t.Errorf("it was said %d times to be true for the first time", k.firsts.Load())
		}
	})
}

// Where there is no room for another file, the one that is there says each value all
// the same, and nothing of the one before.
func TestKeeperWritesWithoutRoom(t *testing.T) {
	for _, before := range []string{"0\n", "-100\n", "0\n" + strings.Repeat("9", 100)} {
		keeping(t, func(path string) {
			writeFile(t, path, before)
			noRoom(t, path)
		}, func(k *kept) {
			inodeBefore := inode(t, k.file.path)
			k.want(-99)
			k.says("-99\n")
			k.want(out)
			k.says("-2147483648\n")
			k.want(-25)
			k.says("-25\n")
			k.want(out)
			k.says("-2147483648\n")
			k.want(0)
			k.says("0\n")
			k.logged("cannot be written", 0)
			if inode(t, k.file.path) != inodeBefore {
				t.Error("another file took its place")
			}
			os.RemoveAll(k.file.temp)
			k.want(-1)
			k.says("-1\n")
			if inode(t, k.file.path) == inodeBefore {
				t.Error("with room, no other file took its place")
			}
		})
	}
	// What is not a file is not written to.
	keeping(t, func(path string) {
		if err := syscall.Mkfifo(path, 0o644); err != nil {
			t.Fatal(err)
		}
		noRoom(t, path)
	}, func(k *kept) {
		k.want(out)
		k.logged("cannot be written", 1)
		os.RemoveAll(k.file.temp)
	})
}

// noRoom has no other file take the place of this one.
func noRoom(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(newTrackFile(filepath.Split(path)).temp, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// What a process that was killed left is taken away, and in nobody's way.
func TestKeeperTidies(t *testing.T) {
	keeping(t, func(path string) {
		writeFile(t, filepath.Join(filepath.Dir(path), ".rs1.tmp"), "-2")
	}, func(k *kept) {
		synctest.Wait()
		if _, err := os.Lstat(k.file.temp); !os.IsNotExist(err) {
			t.Errorf("it is still there: %v", err)
		}
		if err := os.Symlink("/dev/null", k.file.temp); err != nil {
			t.Fatal(err)
		}
		k.want(0)
		k.says("0\n")
	})
}
