package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// services are one in each colour, and one that means ill.
func services(t *testing.T) []*statusv1.Service {
	var all []*statusv1.Service
	for _, text := range []string{
		`name: "backup"
			readiness { verdict { status: STATUS_SERVING weight: 40 } facts_age { nanos: 90000000 } stood { seconds: 200000 } }
			liveness { verdict { status: STATUS_SERVING weight: 100 } }`,
		`name: "epg" drained: true
			readiness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "main loop last answered 3.2 s ago, allowed 1 s" }
				facts_age { seconds: 3 nanos: 200000000 } stood { seconds: 2 nanos: 200000000 } }
			liveness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "main loop last answered 3.2 s ago, allowed 1 s" } }
			landmarks { state: STATE_FAILING
				declared { name: "main loop" kind: KIND_LOOP impact: IMPACT_CRITICAL within_us: 1000000 }
				fact { reached: true age_us: 3200000 open: true } }
			landmarks { state: STATE_DEGRADED
				declared { name: "queue" kind: KIND_LEVEL impact: IMPACT_DEGRADING limits { degrade_at: 80 fail_at: 100 } }
				fact { reached: true age_us: 500000 value: 90 } }
			landmarks { state: STATE_UNSPECIFIED
				declared { name: "cache" kind: KIND_CONDITION impact: IMPACT_INFORMATIONAL } fact { age_us: 4500000 } }
			landmarks { state: STATE_OK
				declared { name: "database" kind: KIND_CONDITION impact: IMPACT_READINESS ttl_us: 30000000 }
				fact { reached: true met: true age_us: 500000 } }`,
		`name: "mean"
			readiness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_FAILED reason: "db does not hold: \033]0;owned\007\u202e" } }
			liveness { verdict { status: STATUS_SERVING weight: 100 } }`,
		`name: "vod"
			readiness { verdict { status: STATUS_SERVING weight: 100 } stood { seconds: 7200 } }
			liveness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "ticks last passed 2 s ago, allowed 1 s" } }`,
		`name: "web"
			readiness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_DRAINING reason: "drained by the program itself" } }
			liveness { verdict { status: STATUS_SERVING weight: 100 } }`,
	} {
		all = append(all, read(t, new(statusv1.Service), text))
	}
	return all
}

func TestStatusOfAll(t *testing.T) {
	path := socketPath(t)
	(&landmarkd{list: services(t)}).serve(t, path)
	got := runTo("status", "-addr", "unix:"+path)
	want := told{0, `SERVICE  STATUS       CAUSE     WEIGHT  LIVENESS     FOR        FACTS  REASON
backup   SERVING      -         40%     SERVING      2 d 7 h    90 ms
epg      NOT_SERVING  stalled   0%      NOT_SERVING  2.2 s      3.2 s  main loop last answered 3.2 s ago, allowed 1 s; drained by an operator, too
mean     NOT_SERVING  failed    0%      SERVING      0 ms       0 ms   db does not hold: \x1b]0;owned\a\u202e
vod      SERVING      -         100%    NOT_SERVING  2 h 0 min  0 ms   not live: ticks last passed 2 s ago, allowed 1 s
web      NOT_SERVING  draining  0%      SERVING      0 ms       0 ms   drained by the program itself
`, ""}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestStatusOfOne(t *testing.T) {
	path := socketPath(t)
	(&landmarkd{list: services(t)}).serve(t, path)
	got := runTo("status", "epg", "-addr", "unix:"+path)
	want := told{0, `SERVICE  STATUS       CAUSE    WEIGHT  LIVENESS     FOR    FACTS  REASON
epg      NOT_SERVING  stalled  0%      NOT_SERVING  2.2 s  3.2 s  main loop last answered 3.2 s ago, allowed 1 s; drained by an operator, too

LANDMARK   KIND       STATE     IMPACT         STANDS                           LIMIT
main loop  loop       failing   critical       asked, last answered 3.2 s ago   allowed 1 s
queue      level      degraded  degrading      90, set 500 ms ago               degrades above 80, fails at 100
cache      condition  unarmed   informational  not reached yet, made 4.5 s ago
database   condition  ok        readiness      holds, said 500 ms ago           to be said again within 30 s
`, ""}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := runTo("status", "-addr", "unix:"+path, "vod"); got.code != 0 || !bytes.HasSuffix([]byte(got.out), []byte("\n\nIt has no landmarks.\n")) {
		t.Errorf("without landmarks: %+v", got)
	}
}

func TestStatusOfNone(t *testing.T) {
	path := socketPath(t)
	(&landmarkd{}).serve(t, path)
	want := told{0, "There is no service: no program has reported, and none is configured.\n", ""}
	if got := runTo("status", "-addr", "unix:"+path); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	want = told{0, "{\n  \"services\": []\n}\n", ""}
	if got := runTo("status", "-addr", "unix:"+path, "-o", "json"); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestStatusInJSONIsProtobufs(t *testing.T) {
	path := socketPath(t)
	want := services(t)
	(&landmarkd{list: want}).serve(t, path)
	got := runTo("status", "-addr", "unix:"+path, "-o", "json")
	var document struct{ Services []json.RawMessage }
	if err := json.Unmarshal([]byte(got.out), &document); err != nil || got.code != 0 {
		t.Fatalf("%v in %+v", err, got)
	}
	var back []*statusv1.Service
	for _, text := range document.Services {
		s := new(statusv1.Service)
		if err := protojson.Unmarshal(text, s); err != nil {
			t.Fatal(err)
		}
		back = append(back, s)
	}
	if diff := cmp.Diff(want, back, protocmp.Transform()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if escaped := printableJSON([]byte(got.out)); !bytes.Equal(escaped, []byte(got.out)) {
		t.Errorf("not all is printable: %q", got.out)
	}
}

func TestStatusInColours(t *testing.T) {
	var out bytes.Buffer
	if err := statusTable(output{out: &out, colours: true}, services(t)); err != nil {
		t.Fatal(err)
	}
	const (
		r, g, y, off = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
	)
	want := "SERVICE  STATUS       CAUSE     WEIGHT  LIVENESS     FOR        FACTS  REASON\n" +
		"backup   " + y + "SERVING" + off + "      -         40%     " + g + "SERVING" + off + "      2 d 7 h    90 ms\n" +
		"epg      " + r + "NOT_SERVING" + off + "  stalled   0%      " + r + "NOT_SERVING" + off + "  2.2 s      3.2 s  main loop last answered 3.2 s ago, allowed 1 s; drained by an operator, too\n" +
		"mean     " + r + "NOT_SERVING" + off + "  failed    0%      " + g + "SERVING" + off + "      0 ms       0 ms   db does not hold: \\x1b]0;owned\\a\\u202e\n" +
		"vod      " + g + "SERVING" + off + "      -         100%    " + r + "NOT_SERVING" + off + "  2 h 0 min  0 ms   not live: ticks last passed 2 s ago, allowed 1 s\n" +
		"web      " + y + "NOT_SERVING" + off + "  draining  0%      " + g + "SERVING" + off + "      0 ms       0 ms   drained by the program itself\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
