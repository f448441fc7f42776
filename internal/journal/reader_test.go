package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const (
	headerLine = `{"type":"journal","time":"2026-11-28T14:33:58Z","seq":0,"at_ns":0,"journal":{"format":1,"run":"r","landmarkd":"v"}}`
	policyLine = `{"type":"policy","time":"2026-11-28T14:33:58Z","seq":0,"at_ns":5,"service":"epg","policy":{"stale_after_ns":1500000000,"forget_after_ns":3600000000000,"landmarks":{"main loop":{"impact":"readiness","within_ns":5}}}}`
	factsLine  = `{"type":"facts","time":"2026-11-28T14:33:58Z","seq":1,"at_ns":5,"service":"epg","facts":{"full":true,"instances":[{"id":1,"process":{"name":"a","presence":"connected","since_ns":1,"reports":{"floor_ns":375000000},"landmarks":[{"name":"queue","kind":"level","impact":"degrading","limits":{"degrade_at":1,"fail_at":"+Inf"},"reached":true,"age":{},"value":"NaN"}]}}],"host":{"reads":{},"landmarks":[]},"history":{"health_since_ns":0,"serving_since_ns":0}}}`
	changeLine = `{"type":"verdict","time":"2026-11-28T14:33:58Z","seq":2,"at_ns":6,"service":"epg","verdict":{"readiness":{"status":"NOT_SERVING","cause":"stalled","weight":0},"liveness":{"status":"SERVING","cause":"none","weight":100},"startup":{"status":"SERVING","cause":"none","weight":100}}}`
)

// TestReadSkipsAndNames reads what later versions and accidents may leave.
func TestReadSkipsAndNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("journal-20261128T000000.jsonl", headerLine+"\n"+
		`{"type":"weather","facts":"rain"}`+"\n"+ // of a later version
		strings.TrimSuffix(changeLine, "}")+"\n"+ // cut
		`{"type":"verdict","time":"2026-11-28T14:33:58Z","service":"epg"}`+"\n"+
		strings.Replace(changeLine, "stalled", "bored", 1)+"\n"+
		strings.Replace(changeLine, `"at_ns":6`, `"at_ns":9223372036854775807`, 1)+"\n"+
		strings.Replace(changeLine, `"seq":2`, `"seq":2,"more":{"x":1}`, 1)+"\n")
	write("journal-20261128T000001.jsonl", headerLine+"\n"+strings.Repeat("x", maxLine+1)+"\n"+changeLine) // without an end
	write("another.jsonl", "nothing\n")
	all, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for l, problem := range all {
		if problem != nil {
			types = append(types, problem.Error())
			continue
		}
		types = append(types, string(l.Type))
	}
	want := []string{
		"journal",
		"journal-20261128T000000.jsonl:3: the line is damaged: unexpected end",
		"journal-20261128T000000.jsonl:4: the line is damaged: it has no verdict",
		"journal-20261128T000000.jsonl:5: the line is damaged: ",
		"journal-20261128T000000.jsonl:6: the line is damaged: at_ns is 9223372036854775807",
		"verdict",
		"journal",
		"journal-20261128T000001.jsonl:2: the line has more than",
		"verdict",
	}
	if len(types) != len(want) {
		t.Fatalf("got %q, want %q", types, want)
	}
	for i := range want {
		if !strings.HasPrefix(types[i], want[i]) {
			t.Errorf("%d: got %q, want %q", i, types[i], want[i])
		}
	}
	for range all { // which can be ended
		break
	}
	if _, err := Read(filepath.Join(dir, "missing")); err == nil {
		t.Error("no error for a directory that is missing")
	}
}

// FuzzReadLines reads arbitrary files: each line is one, a problem, or of an unknown type.
// What was read is written and read again as the same.
func FuzzReadLines(f *testing.F) {
	f.Add([]byte(headerLine + "\n" + policyLine + "\n" + factsLine + "\n" + changeLine + "\n"))
	f.Add([]byte(`{"type":"weather"}` + "\n\n" + `{"type":"ages","service":"epg","ages":{"from_ns":1,"longest":[{"id":1,"age_ns":-1}]}}`))
	f.Add([]byte(`{"type":"check","service":"epg","check":{"began_ns":1,"took_ns":2,"ok":true}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		n := 0
		readLines(bytes.NewReader(file), "file", func(l Line, problem *Problem) bool {
			n++
			if problem != nil {
				if problem.Line < 1 || problem.Err == nil {
					t.Errorf("problem %+v", problem)
				}
				return true
			}
			b := encode([]Line{l})
			again, err := Decode(bytes.TrimSuffix(b, []byte("\n")))
			if err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			if twice := encode([]Line{again}); !bytes.Equal(b, twice) {
				t.Errorf("%s became %s", b, twice)
			}
			if l.Size() <= 0 {
				t.Errorf("the size of %s is %d", b, l.Size())
			}
			return true
		})
		if lines := bytes.Count(file, []byte("\n")) + 1; n > lines {
			t.Errorf("%d results of %d lines", n, lines)
		}
	})
}

func TestNamesAreWrittenAndRead(t *testing.T) {
	for _, line := range []string{headerLine, policyLine, factsLine, changeLine} {
		l, err := Decode([]byte(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := strings.TrimSpace(string(encode([]Line{l}))); got != line {
			t.Errorf("got  %s\nwant %s", got, line)
		}
		if reflect.DeepEqual(l, Line{}) {
			t.Error("nothing was read")
		}
	}
}
