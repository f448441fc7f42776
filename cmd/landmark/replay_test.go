package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/replay"
)

// hangOfTwoSeconds is the journal of a service that hung from instant 10 s to 12 s, with a
// line that is damaged.
const hangOfTwoSeconds = `{"type":"journal","time":"2026-11-28T10:00:00Z","seq":0,"at_ns":0,"journal":{"format":1,"run":"r","landmarkd":"v"}}
{"type":"policy","time":"2026-11-28T10:00:00Z","seq":0,"at_ns":0,"service":"epg","policy":{"stale_after_ns":1500000000,"forget_after_ns":3600000000000}}
{"type":"facts","time":"2026-11-28T10:00:00Z","seq":1,"at_ns":0,"service":"epg","facts":{"full":true,"instances":[{"id":1,"process":{"name":"a","presence":"connected","since_ns":0,"started":true,"reports":{"floor_ns":375000000},"landmarks":[{"name":"main <loop>","kind":"loop","impact":"critical","within_ns":1000000000,"reached":true,"age":{"floor_ns":250000000}}]}}],"history":{"serving":true,"ever_served":true,"healthy":true,"health_since_ns":0,"serving_since_ns":0},"judged":{"readiness":{"status":"SERVING","cause":"none","weight":100},"liveness":{"status":"SERVING","cause":"none","weight":100},"startup":{"status":"SERVING","cause":"none","weight":100}}}}
{"type":"verdict","time":"2026-11-28T10:00:11Z","seq":2,"at_ns":11000000001,"service":"epg","verdict":{"readiness":{"status":"NOT_SERVING","cause":"stalled","weight":0},"liveness":{"status":"NOT_SERVING","cause":"stalled","weight":0},"startup":{"status":"SERVING","cause":"none","weight":100}}}
{"type":"facts","time":"2026-11-28T10:00:11Z","seq":3,"at_ns":11000000001,"service":"epg","facts":{"instances":[{"id":1,"process":{"name":"a","presence":"connected","since_ns":0,"started":true,"reports":{"floor_ns":375000000},"landmarks":[{"name":"main <loop>","kind":"loop","impact":"critical","within_ns":1000000000,"reached":true,"age":{"floor_ns":250000000,"late":true,"at_ns":10000000000,"known_ns":10000000000},"open":true}]}}]}}
{"type":"weather","service":"epg","weather":"rain"}
{"type":"verdict","time":"2026-11-28T10:00:12Z","seq":4,"at_ns":12000000000,"service":"epg","verdict":{"readiness":{"status":"SERVING","cause":"none","weight":100},"liveness":{"status":"SERVING","cause":"none","weight":100},"startup":{"status":"SERVING","cause":"none","weight":100}}}
{"type":"facts","time":"2026-11-28T10:00:12Z","seq":5,"at_ns":12000000000,"service":"epg","facts":{"instances":[{"id":1,"process":{"name":"a","presence":"connected","since_ns":0,"started":true,"reports":{"floor_ns":375000000},"landmarks":[{"name":"main <loop>","kind":"loop","impact":"critical","within_ns":1000000000,"reached":true,"age":{"floor_ns":250000000}}]}}]}}
{"type":"facts","time":"2026-11-28T10:0
{"type":"ages","time":"2026-11-28T10:05:00Z","seq":6,"at_ns":300000000000,"service":"epg","ages":{"from_ns":0,"longest":[{"id":1,"landmark":"main <loop>","age_ns":150000000}]}}
{"type":"stop","time":"2026-11-28T10:05:00Z","seq":7,"at_ns":300000000000}
`

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replayOf replays hangOfTwoSeconds with within as the limit of its main loop.
func replayOf(t *testing.T, within string) (got result, svg string) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "journal-20261128T100000.jsonl"), hangOfTwoSeconds)
	config := filepath.Join(dir, "landmarkd.yaml")
	writeFile(t, config, `services: {epg: {landmarks: {"main <loop>": {within: `+within+`}}}}`)
	svg = filepath.Join(dir, "replay.svg")
	return runTo("replay", "-journal", dir, "-config", config, "-svg", svg), svg
}

func TestReplayTable(t *testing.T) {
	for within, want := range map[string]string{
		"1s":     "epg      1 → 1     0        0      1 s → 1 s      1 s → 1 s      0 ms → 0 ms",
		"1500ms": "epg      1 → 1     0        0      1 s → 1.5 s    1 s → 500 ms   0 ms → 0 ms",
		"250ms":  "epg      1 → 1     0        0      1 s → 250 ms   1 s → 1.8 s    0 ms → 0 ms",
		"200ms":  "epg      1 → 1     0        0      1 s → 200 ms   1 s → 1.8 s    0 ms → 0 ms",
		"3s":     "epg      1 → 0     1        0      1 s → 2 s      1 s → 0 ms     0 ms → 0 ms",
	} {
		got, svg := replayOf(t, within)
		if got.code != 0 || !strings.Contains(squeeze(got.out), squeeze(want)) {
			t.Errorf("%s: got %+v, want a line\n%s", within, got, want)
		}
		if !strings.Contains(got.err, "journal-20261128T100000.jsonl:9: the line is damaged") || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: the damaged line is not named: %q", within, got.err)
		}
		b, err := os.ReadFile(svg)
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(strings.NewReader(string(b))); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", within, err, b)
			}
		}
	}
}

// squeeze makes one space of several.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// Below what the journal knows exactly, the table has bounds.
func TestReplayBounds(t *testing.T) {
	got, _ := replayOf(t, "100ms")
	want := "epg 1 → about 1 about 0 about 0 1 s → 0 ms to 100 ms 1 s → 1.9 s to 5 min 0 s 0 ms → 0 ms"
	if got.code != 0 || !strings.Contains(squeeze(got.out), want) || !strings.Contains(got.out, "bounds only: ") || !strings.Contains(got.out, "main <loop>") {
		t.Errorf("got %+v, want a line\n%s", got, want)
	}
}

func TestReplayArguments(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "wrong.yaml")
	writeFile(t, config, "services: 7\n")
	for args, says := range map[string]string{
		"replay":                                  "-journal DIR",
		"replay epg":                              `unexpected argument "epg"`,
		"replay -journal " + dir:                  "has no journal",
		"replay -journal " + dir + "/missing":     "no such file or directory; give the directory that landmarkd writes to",
		"replay -journal x -config " + config:     "-config: ",
		"replay -journal x -config " + dir + "/y": "-config: ",
	} {
		if got := runTo(strings.Fields(args)...); got.code != exitArguments || got.out != "" || !strings.Contains(got.err, says) {
			t.Errorf("%q: %+v, want exit code %d and %q", args, got, exitArguments, says)
		}
	}
}

// The time of the journal has its dates, unless they are today's.
func TestReplayShowsDates(t *testing.T) {
	from := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	r := &replay.Report{Runs: 1, From: from, To: from.Add(4 * time.Hour)}
	for now, want := range map[time.Time]string{
		from.Add(5 * time.Hour):      "1 run of landmarkd, from 10:00:00.000 to 14:00:00.000\n",
		from.Add(7 * 24 * time.Hour): "1 run of landmarkd, from 2026-11-21 10:00:00.000 to 2026-11-21 14:00:00.000\n",
	} {
		var out, err strings.Builder
		if failed := printReplay(output{out: &out, err: &err}, r, now); failed != nil || !strings.HasPrefix(out.String(), want) {
			t.Errorf("at %v: %q, %v, want %q", now, out.String(), failed, want)
		}
	}
}

// A timeline that cannot be written has an exit code of its own.
func TestReplaySVGThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "journal-20261128T100000.jsonl"), hangOfTwoSeconds)
	got := runTo("replay", "-journal", dir, "-svg", filepath.Join(dir, "missing", "replay.svg"))
	if got.code != exitNoAnswer || !strings.Contains(got.err, "-svg: ") {
		t.Errorf("got %+v, want exit code %d", got, exitNoAnswer)
	}
}
