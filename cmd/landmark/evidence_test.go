package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

// hangEvidence is what was seen of a program that hung, and of one whose informational
// landmark failed.
func hangEvidence(t *testing.T) []*adminv1.EvidenceResponse {
	at := timestamppb.New(time.Date(2026, 11, 22, 3, 12, 7, 204e6, time.UTC))
	change := read(t, new(adminv1.EvidenceChange), `status: "NOT_SERVING" cause: "stalled" reason: "main loop last answered 1 s ago, allowed 1 s"`)
	change.Time = at
	all := []*adminv1.EvidenceResponse{
		read(t, new(adminv1.EvidenceResponse), `source: EVIDENCE_SOURCE_PROGRAM instance: "a" pid: 4711 landmarks: "main loop"
			summary: "\"main loop\" is in main.hang (loop.go:51), waiting" text: "goroutine of \"main loop\": waiting\n\tmain.hang\033[2J\n\t\t/loop.go:51\n\n"`),
		read(t, new(adminv1.EvidenceResponse), `source: EVIDENCE_SOURCE_KERNEL instance: "a" summary: "main thread spinning, 98 % of a core" text: "process 4711\n"`),
		read(t, new(adminv1.EvidenceResponse), `source: EVIDENCE_SOURCE_KERNEL instance: "a" landmarks: "cache" landmarks: "index" summary: "sleeping"`),
	}
	for _, e := range all {
		e.Time = at
	}
	all[0].Change, all[1].Change = change, change
	return all
}

func TestEvidenceText(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	if err := evidenceText(output{out: &out}, hangEvidence(t), now); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`03:12:07.204  NOT_SERVING stalled  main loop last answered 1 s ago, allowed 1 s`,
		`    a (process 4711), by its agent: "main loop" is in main.hang (loop.go:51), waiting`,
		`        goroutine of "main loop": waiting`,
		`            main.hang\x1b[2J`,
		`                /loop.go:51`,
		``,
		`    a, by the kernel: main thread spinning, 98 % of a core`,
		`        process 4711`,
		`03:12:07.204  no change of the verdict: failing cache, index`,
		`    a, by the kernel: sleeping`,
		``,
	}, "\n")
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestHistoryEvidence(t *testing.T) {
	path := socketPath(t)
	d := &landmarkd{}
	d.serve(t, path)
	if got := runTo("history", "-evidence", "-admin-socket", path, "epg"); got.code != 0 || !strings.HasPrefix(got.out, "There is no evidence: ") {
		t.Errorf("%+v", got)
	}
	d.evidence = hangEvidence(t)
	if got := runTo("history", "-evidence", "-admin-socket", path, "epg"); got.code != 0 || strings.Count(got.out, "by the kernel") != 2 {
		t.Errorf("%+v", got)
	}
	if got := runTo("history", "-evidence", "-o", "json", "-admin-socket", path, "epg"); got.code != 0 || !strings.HasPrefix(got.out, "{\n  \"evidence\": [") || !strings.Contains(got.out, `"pid": 4711`) {
		t.Errorf("%+v", got)
	}
	d.err = status.Error(codes.PermissionDenied, "only its owner may")
	if got, want := runTo("history", "-evidence", "-admin-socket", path, "epg"), (result{exitRefused, "", "landmark: only its owner may\n"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
