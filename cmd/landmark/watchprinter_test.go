package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

func TestWatchPrintsEachChangeOnce(t *testing.T) {
	started := time.Date(2026, 11, 23, 23, 59, 58, 0, time.UTC)
	var out bytes.Buffer
	p := newWatchPrinter(output{out: &out}, asTable, started)
	all := services(t)
	show := func(s *statusv1.Service, after time.Duration) {
		if err := p.print(s, started.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range all {
		show(s, 0)
	}
	for _, s := range all { // as after landmarkd was restarted
		s = proto.CloneOf(s)
		s.Readiness.Verdict.Reason += ", still"
		show(s, time.Second)
	}
	degraded := proto.CloneOf(all[3])
	degraded.Readiness.Verdict.Weight = 7
	show(degraded, 2500*time.Millisecond)
	want := `23:59:58.000  backup  SERVING      -            40%
23:59:58.000  epg     NOT_SERVING  stalled       0%  main loop last answered 3.2 s ago, allowed 1 s; drained, too
23:59:58.000  mean    NOT_SERVING  failed        0%  db does not hold: \x1b]0;owned\a\u202e
23:59:58.000  vod     SERVING      -           100%  not live: ticks last passed 2 s ago, allowed 1 s
23:59:58.000  web     NOT_SERVING  draining      0%  drained by the program itself
2026-11-24 00:00:00.500  vod     SERVING      -             7%  not live: ticks last passed 2 s ago, allowed 1 s
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWatchPrintsAnyChange(t *testing.T) {
	var out bytes.Buffer
	p := newWatchPrinter(output{out: &out}, asTable, time.Now())
	s := services(t)[3]
	for what, change := range map[string]func(){
		"nothing":           func() {},
		"status":            func() { s.Readiness.Verdict.Status = statusv1.Status_STATUS_NOT_SERVING },
		"cause":             func() { s.Readiness.Verdict.Cause = statusv1.Cause_CAUSE_LOST },
		"weight":            func() { s.Readiness.Verdict.Weight-- },
		"cause of liveness": func() { s.Liveness.Verdict.Cause = statusv1.Cause_CAUSE_LOST },
		"startup":           func() { s.Startup = s.Liveness },
		"drain":             func() { s.Drained = true },
	} {
		p.print(s, time.Now())
		out.Reset()
		change()
		if p.print(s, time.Now()); (out.Len() > 0) != (what != "nothing") {
			t.Errorf("change of %s: printed %q", what, out.String())
		}
	}
}

func TestWatchPrintsOneLineOfJSONEach(t *testing.T) {
	var out bytes.Buffer
	p := newWatchPrinter(output{out: &out}, asJSON, time.Now())
	at := time.Date(2026, 11, 23, 3, 12, 7, 204e6, time.FixedZone("", 60*60))
	all := services(t)
	for _, s := range all {
		if err := p.print(s, at); err != nil {
			t.Fatal(err)
		}
	}
	written := bytes.SplitAfter(out.Bytes(), []byte("\n"))
	if len(written) != len(all)+1 {
		t.Fatalf("%d lines for %d services: %s", len(written)-1, len(all), out.String())
	}
	for i, s := range all {
		var line struct {
			Time    string
			Service json.RawMessage
		}
		if err := json.Unmarshal(written[i], &line); err != nil {
			t.Fatal(err)
		}
		back := new(statusv1.Service)
		if err := protojson.Unmarshal(line.Service, back); err != nil || !proto.Equal(back, s) {
			t.Errorf("%s, %v, want %v", written[i], err, s)
		}
		if line.Time != "2026-11-23T03:12:07.204+01:00" {
			t.Errorf("the time is %s", line.Time)
		}
	}
}
