package members

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var sample = []registry.Membership{{
	Service: "epg", Owned: true, UID: 1000, Drain: &registry.OrderedDrain{By: 7, UntilGone: true},
	Members: []registry.Member{
		{Instance: "a"},
		{Instance: "b", State: registry.MemberLost, Away: time.Minute},
		{Instance: "c", Newcomer: true, Leaving: true, Seq: 1, ReliefSeq: 2},
	},
}, {Service: "feed", Drain: &registry.OrderedDrain{}}}

// TestEncodingRoundTrip decodes encoded memberships some time later.
func TestEncodingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		duration := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(10*365*24*time.Hour)).Draw(t, "duration"))
		})
		later := duration.Draw(t, "later")
		var want []registry.Membership
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9._]{0,89}`), 0, 8, rapid.ID).Draw(t, "names")
		var kept []registry.Membership
		for _, name := range names {
			m := registry.Membership{Service: name, Owned: rapid.Bool().Draw(t, "owned")}
			if rapid.Bool().Draw(t, "drained") {
				m.Drain = &registry.OrderedDrain{By: rapid.Uint32().Draw(t, "by"), UntilGone: rapid.Bool().Draw(t, "until gone")}
			}
			if m.Owned {
				m.UID = rapid.Uint32().Draw(t, "uid")
				for range rapid.IntRange(0, 4).Draw(t, "members") {
					member := registry.Member{
						Instance:  rapid.StringMatching(`[ -~]{1,128}`).Draw(t, "instance"),
						State:     registry.MemberState(rapid.IntRange(0, 2).Draw(t, "state")),
						Newcomer:  rapid.Bool().Draw(t, "newcomer"),
						Leaving:   rapid.Bool().Draw(t, "leaving"),
						Seq:       rapid.Uint64Max(1<<62).Draw(t, "spare"),
						ReliefSeq: rapid.Uint64Max(1<<62).Draw(t, "relief"),
					}
					if member.State != registry.MemberPresent {
						member.Away = duration.Draw(t, "away")
					}
					m.Members = append(m.Members, member)
				}
			}
			kept = append(kept, m)
			m.Members = append([]registry.Member(nil), m.Members...)
			for i := range m.Members {
				if m.Members[i].State != registry.MemberPresent {
					m.Members[i].Away += later
				}
			}
			want = append(want, m)
		}
		complete := rapid.Bool().Draw(t, "complete")
		b, err := encode(kept, complete, "boot", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		got, whole, err := decode(b, "boot", time.Hour+later)
		if err != nil || whole != complete || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nreads as %+v, complete %v, %v; want %+v, complete %v", b, got, whole, err, want, complete)
		}
	})
}

// TestDamagedFilesAreIgnored cuts a file after each byte, and changes values.
func TestDamagedFilesAreIgnored(t *testing.T) {
	whole, err := encode(sample, true, "boot", 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) - 1 { // the last byte is a line feed
		if all, _, err := decode(whole[:n], "boot", 0); err == nil {
			t.Fatalf("cut after %d bytes it reads as %+v", n, all)
		}
	}
	for name, damaged := range map[string]string{
		"another boot":        strings.Replace(string(whole), `"boot":"boot"`, `"boot":"other"`, 1),
		"another version":     strings.Replace(string(whole), `"version":1`, `"version":2`, 1),
		"an unknown key":      strings.Replace(string(whole), `"at"`, `"from"`, 1),
		"two documents":       string(whole) + string(whole),
		"a service twice":     strings.Replace(string(whole), `"feed"`, `"epg"`, 1),
		"a wrong name":        strings.Replace(string(whole), `"feed"`, `"a/b"`, 1),
		"no owner":            strings.Replace(string(whole), `"uid":1000,`, ``, 1),
		"a wrong state":       strings.Replace(string(whole), `"lost"`, `"serving"`, 1),
		"a negative duration": strings.Replace(string(whole), `"away_ns":`, `"away_ns":-`, 1),
		"a spare too many":    strings.Replace(string(whole), `"spare":1`, `"spare":18446744073709551615`, 1),
		"a long instance":     strings.Replace(string(whole), `"name":"a"`, `"name":"`+strings.Repeat("a", 129)+`"`, 1),
	} {
		if damaged == string(whole) {
			t.Errorf("%s: the file is unchanged", name)
		}
		if all, _, err := decode([]byte(damaged), "boot", 0); err == nil {
			t.Errorf("%s: it reads as %+v", name, all)
		}
	}
}

// TestUntrustedFilesAreIgnored checks that one log line has the reason.
func TestUntrustedFilesAreIgnored(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, path string)
		why   string
	}{
		"writable by others": {func(t *testing.T, path string) { must(t, os.Chmod(path, 0o622)) }, "users other than its owner can write it"},
		"a link": {func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".real"))
			must(t, os.Symlink(path+".real", path))
		}, "too many levels of symbolic links"},
		"a FIFO":      {func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, unix.Mkfifo(path, 0o600)) }, "not a regular file"},
		"a directory": {func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Mkdir(path, 0o700)) }, "not a regular file"},
		"too long":    {func(t *testing.T, path string) { must(t, os.Truncate(path, maxSize+1)) }, "bytes: at most"},
		"damaged":     {func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("{"), 0o600)) }, "damaged"},
		"another user's": {func(t *testing.T, path string) {
			if os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			must(t, os.Chown(path, 12345, -1))
		}, "belongs to uid 12345"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "members.json")
			must(t, write(path, sample, true))
			var log bytes.Buffer
			f := New(path, slog.New(slog.NewTextHandler(&log, nil)))
			if all, known := f.Read(); !known || len(all) != len(sample) || log.Len() > 0 {
				t.Fatalf("the file that was written reads as %+v, %v; logged: %s", all, known, log.String())
			}
			tt.spoil(t, path)
			if all, known := f.Read(); known || all != nil {
				t.Errorf("it reads as %+v", all)
			}
			if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), tt.why) {
				t.Errorf("logged: %s", log.String())
			}
		})
	}
}

func TestOnlyOwnerMayReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members.json")
	must(t, os.WriteFile(path+".new", []byte("left by a killed landmarkd"), 0o666))
	must(t, write(path, sample, true))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
	if _, err := os.Stat(path + ".new"); !os.IsNotExist(err) {
		t.Errorf("the new file is left: %v", err)
	}
}

// TestFileThatCannotBeReplacedIsIncomplete checks that an old file is marked as
// incomplete if a newer one cannot be written, and keeps its drains.
func TestFileThatCannotBeReplacedIsIncomplete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members.json")
	if err := markIncomplete(path); err != nil {
		t.Errorf("without a file: %v", err)
	}
	must(t, write(path, sample, true))
	must(t, os.MkdirAll(filepath.Join(path+".new", "full"), 0o700)) // so that no new file can be made
	for range 2 {
		if err := write(path, sample[:1], true); err == nil {
			t.Fatal("the file was replaced")
		}
		all, complete, err := read(path)
		if err != nil || complete || len(all) != len(sample) {
			t.Errorf("it reads as %+v, complete %v, %v", all, complete, err)
		}
	}
	must(t, os.RemoveAll(path+".new"))
	must(t, write(path, sample, true))
	if _, complete, err := read(path); err != nil || !complete {
		t.Errorf("once it can be replaced it is complete %v, %v", complete, err)
	}
	must(t, os.WriteFile(path, []byte(completeHead), 0o600))
	must(t, os.Truncate(path, int64(len(completeHead)-1)))
	if err := markIncomplete(path); err != nil {
		t.Errorf("a file that is cut short: %v", err)
	}
}

func TestMissingFileIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	if _, known := New(filepath.Join(t.TempDir(), "members.json"), slog.New(slog.NewTextHandler(&log, nil))).Read(); known || log.Len() > 0 {
		t.Errorf("known %v, logged: %s", known, log.String())
	}
}

// source is a Source whose memberships change.
type source struct {
	changed chan struct{}
	n       atomic.Int32
}

func (s *source) Memberships() ([]registry.Membership, bool) {
	return []registry.Membership{{Service: fmt.Sprintf("s%d", s.n.Load()), Owned: true}}, true
}

func (s *source) MembersChanged() <-chan struct{} { return s.changed }

func (s *source) change() {
	s.n.Add(1)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// TestRunWritesChanges checks that Run writes at once when idle, collects changes
// during a pause, and repeats a failed write.
func TestRunWritesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := New("members.json", slog.New(slog.NewTextHandler(&log, nil)))
		began := time.Now()
		var written []string
		var fails atomic.Bool
		f.write = func(_ string, all []registry.Membership, _ bool) error {
			time.Sleep(10 * time.Millisecond)
			if fails.Load() {
				return errors.New("the disk is full")
			}
			written = append(written, fmt.Sprintf("%s at %v", all[0].Service, time.Since(began)))
			return nil
		}
		s := &source{changed: make(chan struct{}, 1)}
		ctx, stop := context.WithCancel(t.Context())
		go f.Run(ctx, s)
		s.change()
		time.Sleep(5 * time.Millisecond)
		for range 10 { // one a millisecond
			s.change()
			time.Sleep(time.Millisecond)
		}
		must(t, f.Sync(t.Context())) // does not wait for the pause
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := fmt.Sprint(written), "[s1 at 10ms s11 at 25ms s11 at 125ms]"; got != want {
			t.Errorf("written: %s; want %s", got, want)
		}

		written = nil
		fails.Store(true)
		s.change()
		if err := f.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("Sync returned %v, want that the disk is full", err)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if lines := strings.Count(log.String(), "\n"); lines != 1 {
			t.Errorf("logged: %s", log.String())
		}
		fails.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(written) != 1 {
			t.Errorf("written: %s; want one", written)
		}

		s.n.Add(1) // a last goodbye
		stop()
		f.Wait()
		if len(written) != 2 || !strings.HasPrefix(written[1], "s13 ") {
			t.Errorf("written: %s; want the last goodbye too", written)
		}
		if err := f.Sync(t.Context()); err == nil {
			t.Error("Sync succeeded after Run had returned")
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
