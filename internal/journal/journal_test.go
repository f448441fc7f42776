package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the journal until stop is called.
func start(j *Journal) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = j.Run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// verdict returns a line of a change.
func verdict(service, reason string) Line {
	return Line{Type: TypeVerdict, Service: service, Verdict: &Change{
		Judged:    Judged{Readiness: Verdict{Status: Status(judge.NotServing), Cause: Cause(judge.Stalled), Reason: reason}},
		Landmarks: []LandmarkState{{Declared: Declared{Name: "main loop", Kind: Kind(judge.KindLoop), Impact: Impact(judge.ImpactCritical)}, State: State(judge.Failing)}},
	}}
}

// read returns the lines of the directory. It fails the test at a damaged one.
func read(t *testing.T, dir string) (lines []Line) {
	t.Helper()
	all, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for l, problem := range all {
		if problem != nil {
			t.Fatal(problem)
		}
		lines = append(lines, l)
	}
	return lines
}

func TestLinesAreReadAsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j := New(Config{Dir: dir, Version: "v1"})
	stop := start(j)
	j.Write(verdict("epg", "main loop <last> answered 1 s ago"))
	j.Write(Line{Type: TypeGone, Service: "epg", At: 7})
	stop()
	lines := read(t, dir)
	if len(lines) != 3 || lines[0].Type != TypeJournal || lines[0].Journal.Landmarkd != "v1" || lines[0].Journal.Format != Format {
		t.Fatalf("got %+v, want a header and two lines", lines)
	}
	if v := lines[1].Verdict; lines[1].Seq != 0 || v.Readiness.Reason != "main loop <last> answered 1 s ago" || judge.Cause(v.Readiness.Cause) != judge.Stalled {
		t.Errorf("got %+v", lines[1])
	}
	if l := lines[2]; l.Seq != 1 || l.At != 7 || l.Service != "epg" {
		t.Errorf("got %+v", l)
	}
	if s := j.Stats(); s.Written != 2 || s.Dropped != 0 || s.Failing {
		t.Errorf("stats are %+v", s)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, names(t, dir)[0]): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, want)
		}
	}
}

// names returns the names of the files in the directory.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// TestRotationRemovesOnlyOwnFiles writes many small files into a directory that has others
// with such names.
func TestRotationRemovesOnlyOwnFiles(t *testing.T) {
	synctest.Test(t, testRotation)
}

func testRotation(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	foreign := map[string]string{
		"journal-20010101T000000.jsonl": "somebody's\n",
		"journal-20010102T000000.jsonl": `{"type":"verdict"}` + "\n",
		"notes.txt":                     `{"type":"journal"}` + "\n",
		"journal-2001.jsonl":            `{"type":"journal"}` + "\n",
	}
	for name, text := range foreign {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("notes.txt", filepath.Join(dir, "journal-20010103T000000.jsonl")); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // another user's
		name, text := "journal-20010102T120000.jsonl", `{"type":"journal"}`+"\n"
		if err := errors.Join(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600), os.Chown(filepath.Join(dir, name), 4711, 4711)); err != nil {
			t.Fatal(err)
		}
		foreign[name] = text
	}
	old := filepath.Join(dir, "journal-20010104T000000.jsonl") // of an earlier landmarkd
	if err := os.WriteFile(old, []byte(`{"type":"journal"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := New(Config{Dir: dir})
	j.limits = limits{file: 1, keep: 3}
	stop := start(j)
	const lines = 8
	for i := range lines {
		j.Write(verdict("epg", fmt.Sprint(i)))
		time.Sleep(time.Second) // until it is written
	}
	stop()
	left := names(t, dir)
	for name, text := range foreign {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != text {
			t.Errorf("%s: %q, %v, want it as it was", name, b, err)
		}
	}
	if !slices.Contains(left, "journal-20010103T000000.jsonl") {
		t.Error("the link was removed")
	}
	if _, err := os.Lstat(old); !os.IsNotExist(err) {
		t.Errorf("the oldest file: %v, want it removed", err)
	}
	if got, want := len(left), len(foreign)+1+3; got != want {
		t.Errorf("%d files are left, want %d: %q", got, want, left)
	}
	last := left[len(left)-2] // before notes.txt
	b, err := os.ReadFile(filepath.Join(dir, last))
	if err != nil || !strings.Contains(string(b), `"reason":"7"`) {
		t.Errorf("the last file, %s, has %q, %v", last, b, err)
	}
}

// TestFileThatIsRemovedIsBegunAgain removes the file while it is written.
func TestFileThatIsRemovedIsBegunAgain(t *testing.T) {
	synctest.Test(t, testRemoval)
}

func testRemoval(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j := New(Config{Dir: dir})
	stop := start(j)
	defer stop()
	j.Write(verdict("epg", "0"))
	time.Sleep(time.Second)
	epoch := j.Epoch()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	j.Write(verdict("epg", "1"))
	time.Sleep(time.Second)
	if lines := read(t, dir); len(lines) != 2 || lines[1].Verdict.Readiness.Reason != "1" {
		t.Errorf("got %+v", lines)
	}
	if j.Epoch() == epoch {
		t.Error("no full lines are asked for")
	}
}

// TestFailureIsLoggedOnceAndEnds lets the journal fail for a while.
func TestFailureIsLoggedOnceAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "missing", "journal")
		log := new(logtest.Buffer)
		j := New(Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(log, nil))})
		stop := start(j)
		for range 5 {
			j.Write(verdict("epg", "lost"))
			time.Sleep(3 * time.Second)
		}
		if s := j.Stats(); !s.Failing || s.Written != 0 || s.Dropped == 0 {
			t.Errorf("stats are %+v, want lines dropped and none written", s)
		}
		if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), "-journal") {
			t.Errorf("the log is %q, want one line", log)
		}
		if err := os.Mkdir(filepath.Dir(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * retryDelay)
		j.Write(verdict("epg", "kept"))
		time.Sleep(2 * retryDelay)
		stop()
		if s := j.Stats(); s.Failing || s.Written == 0 {
			t.Errorf("stats are %+v, want it to work again", s)
		}
		if !strings.Contains(log.String(), "written again") {
			t.Errorf("the log is %q", log)
		}
		lines := read(t, dir)
		if last := lines[len(lines)-1]; last.Verdict.Readiness.Reason != "kept" {
			t.Errorf("the last line is %+v", last)
		}
	})
}

// TestHangingDiskDelaysNothing has a disk that never answers: lines are dropped, and the
// stop takes half a second.
func TestHangingDiskDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logtest.Buffer)
		j := New(Config{Dir: filepath.Join(t.TempDir(), "journal"), Logger: slog.New(slog.NewTextHandler(log, nil))})
		hang := make(chan struct{})
		j.beforeDisk = func() { <-hang }
		stop := start(j)
		began := time.Now()
		reason := strings.Repeat("x", 10_000)
		for range 3_000 {
			j.Write(verdict("epg", reason))
			synctest.Wait()
		}
		if s := j.Stats(); s.Dropped == 0 || s.Written != 0 {
			t.Errorf("stats are %+v, want most dropped", s)
		}
		stop()
		if took := time.Since(began); took != closeTimeout {
			t.Errorf("it took %v, want %v", took, closeTimeout)
		}
		if !strings.Contains(log.String(), "does not answer") {
			t.Errorf("the log is %q", log)
		}
		close(hang)
	})
}

// TestEntriesSayWhoHasSeenThem restarts landmarkd.
func TestEntriesSayWhoHasSeenThem(t *testing.T) {
	synctest.Test(t, testEntries)
}

func testEntries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	first := New(Config{Dir: dir})
	stop := start(first)
	first.Write(verdict("epg", "before"))
	first.Write(verdict("vod", "another service"))
	stop()
	second := New(Config{Dir: dir})
	stop = start(second)
	defer stop()
	second.Write(verdict("epg", "after"))
	day := time.Now().Add(-24 * time.Hour)
	time.Sleep(time.Second)
	got := second.Entries("epg", day)
	if len(got) != 2 || got[0].Own || !got[1].Own || got[0].Readiness.Reason != "before" || got[1].Readiness.Reason != "after" {
		t.Errorf("got %+v", got)
	}
	if got := second.Entries("epg", time.Now().Add(time.Hour)); got != nil {
		t.Errorf("since a later time: %+v", got)
	}
	if got := (*Journal)(nil).Entries("epg", day); got != nil {
		t.Errorf("of no journal: %+v", got)
	}
}

func TestCheckDir(t *testing.T) {
	good := t.TempDir()
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(good, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		good:                             "",
		filepath.Join(good, "new"):       "",
		filepath.Join(good, "new", "er"): "whose parent is there",
		open:                             "its mode is 0777",
		file:                             "not a directory",
		filepath.Join(file, "below"):     "not a directory",
		"":                               "the directory is empty",
	} {
		err := CheckDir(dir)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", dir, err, want)
		}
	}
	if left := names(t, good); len(left) != 1 {
		t.Errorf("it has made %q", left)
	}
}

// A flood of lines does not keep a core busy: the writer rests between batches, unless the
// queue is half full.
func TestWriterRests(t *testing.T) {
	for _, full := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const took = 3 * time.Millisecond // of each batch
			batches, last := 0, time.Now()
			shortest := time.Hour
			j := New(Config{Dir: t.TempDir()})
			j.beforeDisk = func() {
				if batches++; batches > 1 {
					shortest = min(shortest, time.Since(last))
				}
				if full && batches == 1 {
					flood(j, maxQueued*3/4)
				}
				time.Sleep(took)
				last = time.Now()
			}
			flood(j, 4*maxBatch)
			stop := start(j)
			time.Sleep(10 * took)
			synctest.Wait()
			switch {
			case batches < 3:
				t.Errorf("%d batches were written, want some", batches)
			case !full && shortest < writeRest*took:
				t.Errorf("it rested for %v after writing for %v", shortest, took)
			case full && shortest > 0:
				t.Errorf("it rested for %v while the queue was more than half full", shortest)
			}
			stop()
		})
	}
}

// flood has lines of at least so many bytes wait.
func flood(j *Journal, bytes int) {
	for l := verdict("epg", "because"); bytes > 0; bytes -= l.Size() {
		j.Write(l)
	}
}
