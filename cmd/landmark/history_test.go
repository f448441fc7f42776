package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// stalledHistory is the history of a service that stalled for a night.
func stalledHistory(t *testing.T) *statusv1.HistoryResponse {
	h := read(t, new(statusv1.HistoryResponse), `
		changes {
			readiness { status: STATUS_SERVING weight: 100 } liveness { status: STATUS_SERVING weight: 100 }
			landmarks { state: STATE_DEGRADED declared { name: "not shown" } }
		}
		changes {
			readiness { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "main loop last answered 1 s ago, allowed 1 s" }
			liveness { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "main loop last answered 1 s ago, allowed 1 s" }
			landmarks { state: STATE_FAILING
				declared { name: "main loop" kind: KIND_LOOP impact: IMPACT_CRITICAL within_us: 1000000 }
				fact { reached: true age_us: 1000000 open: true } }
			landmarks { state: STATE_DEGRADED
				declared { name: "queue\033[2J" kind: KIND_LEVEL impact: IMPACT_DEGRADING limits { degrade_at: 80 fail_at: 100 } }
				fact { reached: true age_us: 20000 value: 97 } }
			landmarks { declared { name: "cache" kind: KIND_CONDITION impact: IMPACT_INFORMATIONAL } fact { age_us: 90000000 } }
		}
		changes {
			readiness { status: STATUS_NOT_SERVING cause: CAUSE_RECOVERING reason: "healthy again, serving in 5 s" }
			liveness { status: STATUS_SERVING weight: 100 }
		}
		changes {
			readiness { status: STATUS_SERVING weight: 100 } liveness { status: STATUS_SERVING weight: 100 }
		}`)
	for i, at := range []time.Time{
		time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 22, 23, 12, 7, 204e6, time.UTC),
		time.Date(2026, 11, 23, 0, 2, 7, 300e6, time.UTC),
		time.Date(2026, 11, 23, 0, 2, 12, 300e6, time.UTC),
	} {
		h.Changes[i].Time = timestamppb.New(at)
	}
	return h
}

func TestHistoryTable(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 23, 8, 2, 12, 300e6, time.FixedZone("", 60*60))
	if err := historyTable(output{out: &out}, stalledHistory(t).GetChanges(), now); err != nil {
		t.Fatal(err)
	}
	want := `SINCE                    STATUS       CAUSE       WEIGHT  LIVENESS     FOR               REASON
2026-11-21 10:00:00.000  SERVING      -           100%    SERVING      1 d 14 h
00:12:07.204             NOT_SERVING  stalled     0%      NOT_SERVING  50 min 0 s        main loop last answered 1 s ago, allowed 1 s
    failing main loop (loop, critical): command sent, last answered 1 s ago, allowed 1 s
    degraded queue\x1b[2J (level, degrading): 97, set 20 ms ago, degrades above 80, fails at 100
    unarmed cache (condition, informational): not reached yet, declared 1 min 30 s ago
01:02:07.300             NOT_SERVING  recovering  0%      SERVING      5 s               healthy again, serving in 5 s
01:02:12.300             SERVING      -           100%    SERVING      7 h 0 min so far
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The machine's clock was set two hours ahead between the last two changes. How long each
// state lasted does not depend on the times of day.
func TestHistoryTableAfterClockChange(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	h := read(t, new(statusv1.HistoryResponse), `
		changes { age { seconds: 90 } readiness { status: STATUS_SERVING weight: 100 } liveness { status: STATUS_SERVING weight: 100 } }
		changes { age { seconds: 60 } readiness { status: STATUS_NOT_SERVING cause: CAUSE_DRAINING reason: "drained by an operator" } liveness { status: STATUS_SERVING weight: 100 } }
		changes { age { seconds: 20 } readiness { status: STATUS_SERVING weight: 100 } liveness { status: STATUS_SERVING weight: 100 } }`)
	for i, at := range []time.Time{now.Add(-2*time.Hour - 90*time.Second), now.Add(-2*time.Hour - time.Minute), now.Add(-20 * time.Second)} {
		h.Changes[i].Time = timestamppb.New(at)
	}
	var out bytes.Buffer
	if err := historyTable(output{out: &out}, h.GetChanges(), now); err != nil {
		t.Fatal(err)
	}
	want := `SINCE         STATUS       CAUSE     WEIGHT  LIVENESS  FOR          REASON
05:58:30.000  SERVING      -         100%    SERVING   30 s
05:59:00.000  NOT_SERVING  draining  0%      SERVING   40 s         drained by an operator
07:59:40.000  SERVING      -         100%    SERVING   20 s so far
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHistoryInColours(t *testing.T) {
	var out bytes.Buffer
	if err := historyTable(output{out: &out, Screen: terminal.Screen{Colours: true}}, stalledHistory(t).GetChanges(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[33mNOT_SERVING\x1b[0m  recovering", "    \x1b[31mfailing\x1b[0m main loop", "    \x1b[33mdegraded\x1b[0m queue\\x1b[2J"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
}

func TestHistoryFormats(t *testing.T) {
	path := socketPath(t)
	d := &landmarkd{history: stalledHistory(t)}
	d.serve(t, path)
	if got := runTo("history", "epg", "-addr", "unix:"+path); got.code != 0 || got.err != "" || strings.Count(got.out, "\n") != 8 {
		t.Errorf("%+v, want 8 lines", got)
	}
	got := runTo("history", "epg", "-addr", "unix:"+path, "-o", "json")
	back := new(statusv1.HistoryResponse)
	if err := protojson.Unmarshal([]byte(got.out), back); err != nil || got.code != 0 {
		t.Fatalf("%v in %+v", err, got)
	}
	if diff := cmp.Diff(d.history, back, protocmp.Transform()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	d.history = &statusv1.HistoryResponse{}
	want := result{0, "Nothing has changed since landmarkd started.\n", ""}
	if got := runTo("history", "epg", "-addr", "unix:"+path); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What an earlier landmarkd has seen comes first, apart from what this one has.
func TestHistoryTablesAreApart(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 23, 8, 2, 12, 300e6, time.FixedZone("", 60*60))
	h := stalledHistory(t)
	h.Earlier, h.Changes = h.Changes[:2], h.Changes[3:]
	if err := historyTables(output{out: &out}, h, now); err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(out.String(), "\nSince then:\n")
	if !found || !strings.HasPrefix(before, "Before landmarkd was restarted, by its journal:\nSINCE ") {
		t.Fatalf("got\n%s", out.String())
	}
	if !strings.Contains(before, "stalled") || !strings.Contains(before, "unknown") || strings.Contains(before, "so far") {
		t.Errorf("before the restart:\n%s", before)
	}
	if strings.Contains(after, "stalled") || !strings.Contains(after, "7 h 0 min so far") {
		t.Errorf("since then:\n%s", after)
	}
}
