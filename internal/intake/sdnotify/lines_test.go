package sdnotify

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/bootfile"
	"github.com/landmark-health/landmark/internal/judge"
)

// A file that landmarkd cannot have written is ignored, and that is logged.
func TestWrongFiles(t *testing.T) {
	path := temporary(t)
	boot, err := bootfile.ThisBoot()
	if err != nil {
		t.Fatal(err)
	}
	var right string
	run(t, Config{File: path}, func(f *fixture) {
		f.mustSend("epg", f.process().Pid, "READY=1", "X_LANDMARK_DECLARE=a:alive:within=1s")
		f.Server.file.save(f.saved)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		right = string(b)
	})
	if _, err := decode([]byte(right), boot); err != nil {
		t.Fatal(err)
	}
	for old, by := range map[string]string{
		`"version":2`: `"version":3`, boot: "other", `"epg"`: `"a/b"`, `"pid":`: `"pid":-`, `"Name":"a"`: `"Name":"\t"`,
		`"Within":1000000000`: `"Within":1`, `"Name":"ready"`: `"Name":"x"`, `"Name":"watchdog"`: `"Name":"x"`, `"age_ns":`: `"age_ns":-1`,
		"\n": "\n{}\n", `"pid"`: `"x":1,"pid"`, `"reported_ns":`: `"reported_ns":-1`, "}]": "", "}\n": "}{}\n",
	} {
		wrong := strings.Replace(right, old, by, 1)
		if wrong == right {
			t.Errorf("%q is not in the file", old)
		}
		if all, err := decode([]byte(wrong), boot); err == nil {
			t.Errorf("%q instead of %q: got %+v", by, old, all)
		}
	}
	if _, err := decode([]byte(`{"version":1,"boot":"b","at_us":1,"processes":[]}`), boot); err == nil || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("a file of another version: got %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, Config{File: path}, func(f *fixture) {
		f.restore()
		if got := f.log.Count("is ignored"); got != 1 || len(f.all()) != 0 {
			t.Errorf("a damaged file was logged %d times, and %d processes are known", got, len(f.all()))
		}
	})
}

// A line without an end is one that landmarkd was writing when it was killed: it had
// reported nothing of it.
func TestLineWithoutEnd(t *testing.T) {
	run(t, Config{File: temporary(t)}, func(f *fixture) {
		f.mustSend("epg", f.process().Pid, "READY=1")
		boot, err := bootfile.ThisBoot()
		if err != nil {
			t.Fatal(err)
		}
		contents, err := encode(f.saved())
		if err != nil {
			t.Fatal(err)
		}
		start := bytes.IndexByte(contents, '\n') + 1
		for end := start; end < len(contents); end++ {
			if all, err := decode(contents[:end], boot); err != nil || len(all) != 0 {
				t.Fatalf("%q: got %+v, %v", contents[:end], all, err)
			}
		}
		if all, err := decode(contents, boot); err != nil || len(all) != 1 {
			t.Errorf("%q: got %+v, %v", contents, all, err)
		}
	})
}

// update keeps what is newer, and the ages of what a line does not have grow.
func TestUpdate(t *testing.T) {
	named := func(name string, age time.Duration) savedLandmark {
		return savedLandmark{Declared: judge.Declared{Name: name}, Age: age}
	}
	known := savedProcess{At: 2_000_000, Start: 1, Text: "known", Whole: true, Own: []savedLandmark{named("a", time.Second), named("b", time.Second)}}
	for name, tt := range map[string]struct {
		line savedProcess
		text string
		own  []savedLandmark
	}{
		"older":              {savedProcess{At: 1_000_000, Start: 1, Text: "old", Whole: true}, "known", known.Own},
		"whole":              {savedProcess{At: 2_000_000, Start: 1, Text: "new", Whole: true}, "new", nil},
		"of another process": {savedProcess{At: 3_000_000, Start: 2, Text: "new"}, "known", known.Own},
		"of one landmark": {savedProcess{At: 3_000_000, Start: 1, Text: "new", Own: []savedLandmark{named("b", 0), named("c", 0)}}, "new",
			[]savedLandmark{named("a", 2*time.Second), named("b", 0), named("c", 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			got := known
			got.Own = slices.Clone(known.Own)
			if !got.update(&tt.line) || got.Text != tt.text || !got.Whole || !reflect.DeepEqual(got.Own, tt.own) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// FuzzDecode checks that no file crashes landmarkd.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":2,"boot":"b"}
{"at_us":1,"service":"epg","pid":1,"start":1,"uid":0,"instance":"a","reported_ns":0,"whole":true,"ready_mark":{"declared":{"Name":"ready","Kind":5,"Impact":2},"age_ns":0},"watchdog_mark":{"declared":{"Name":"watchdog","Kind":1,"Impact":1},"age_ns":0}}
{"at_us":2,"service":"epg","pid":1,"start":1,"uid":0,"instance":"a","reported_ns":0,"own":[{"declared":{"Name":"a","Kind":5,"Impact":2},"age_ns":0}],"ready_mark":{"declared":{"Name":"ready","Kind":5,"Impact":2},"age_ns":0},"watchdog_mark":{"declared":{"Name":"watchdog","Kind":1,"Impact":1},"age_ns":0}}
`))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := decode(b, "b")
		if err != nil {
			return
		}
		for i := range all {
			p := all[i].process(0)
			for _, l := range p.state.landmarks(time.Second) {
				l.stateAt(l.Declared, 0)
			}
			p.state.statusText()
		}
	})
}
