package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// services has a service in each colour, and one that attacks the terminal.
func services(t *testing.T) []*statusv1.Service {
	var all []*statusv1.Service
	for _, text := range []string{
		`name: "backup"
			readiness { verdict { status: STATUS_SERVING weight: 40 } facts_age { nanos: 90000000 } status_age { seconds: 200000 } }
			liveness { verdict { status: STATUS_SERVING weight: 100 } }
			checkers { address: "10.0.0.1" front_end: "lmp-udp" since_last_check { nanos: 300000000 } per_second: 2 total: 5 }
			checkers { address: "unix" front_end: "grpc-check" since_last_check { seconds: 10800 } total: 1 }`,
		`name: "epg" drained: true
			readiness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_STALLED reason: "main loop last answered 3.2 s ago, allowed 1 s" }
				facts_age { seconds: 3 nanos: 200000000 } status_age { seconds: 2 nanos: 200000000 } }
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
				fact { reached: true met: true age_us: 500000 } }
			texts { instance: "4711-1O3EB" text: "reloading: \033[1mready" }
			checkers { address: "10.0.0.2" front_end: "lmp-udp" since_last_check { seconds: 10920 } per_second: 1e-6 usual_per_second: 1.98 total: 4711 silent: true }
			checkers { address: "10.0.0.3" front_end: "lmp-watch" since_last_check { seconds: 12 } total: 1 silent: true }
			checkers { address: "10.0.0.1" front_end: "lmp-udp" since_last_check { nanos: 300000000 } per_second: 2.02 usual_per_second: 2.02 total: 86400 }
			checkers { address: "2001:db8::1" front_end: "grpc-watch" since_last_check {} total: 1 watching: 1 }
			checkers { address: "unix" front_end: "grpc-watch\033" since_last_check {} per_second: 0.0167 total: 7 watching: 2 }`,
		`name: "mean"
			readiness { verdict { status: STATUS_NOT_SERVING cause: CAUSE_FAILED reason: "db does not hold: \033]0;owned\007\u202e" } }
			liveness { verdict { status: STATUS_SERVING weight: 100 } }`,
		`name: "vod"
			readiness { verdict { status: STATUS_SERVING weight: 100 } status_age { seconds: 7200 } }
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
	want := result{0, `SERVICE  STATUS       CAUSE     WEIGHT  LIVENESS     FOR        FACTS  CHECKED           REASON
backup   SERVING      -         40%     SERVING      2 d 7 h    90 ms  by 2, 300 ms ago
epg      NOT_SERVING  stalled   0%      NOT_SERVING  2.2 s      3.2 s  by 5, 2 silent    main loop last answered 3.2 s ago, allowed 1 s; drained, too
mean     NOT_SERVING  failed    0%      SERVING      0 ms       0 ms   -                 db does not hold: \x1b]0;owned\a\u202e
vod      SERVING      -         100%    NOT_SERVING  2 h 0 min  0 ms   -                 not live: ticks last passed 2 s ago, allowed 1 s
web      NOT_SERVING  draining  0%      SERVING      0 ms       0 ms   -                 drained by the program itself
`, ""}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// "failing" beside a good fact would contradict it.
func TestStateOfLandmarkThatIsOnlyPresumedToFail(t *testing.T) {
	for presumed, want := range map[bool]string{false: "failing", true: "not reported"} {
		l := &statusv1.Landmark{State: statusv1.State_STATE_FAILING, Presumed: presumed}
		if got := stateCell(l).Text; got != want {
			t.Errorf("presumed %v: got %q, want %q", presumed, got, want)
		}
	}
}

func TestStatusOfOne(t *testing.T) {
	path := socketPath(t)
	(&landmarkd{list: services(t)}).serve(t, path)
	got := runTo("status", "epg", "-addr", "unix:"+path)
	want := result{0, `SERVICE  STATUS       CAUSE    WEIGHT  LIVENESS     FOR    FACTS  CHECKED         REASON
epg      NOT_SERVING  stalled  0%      NOT_SERVING  2.2 s  3.2 s  by 5, 2 silent  main loop last answered 3.2 s ago, allowed 1 s; drained, too

LANDMARK   KIND       STATE     IMPACT         FACT                                   LIMIT
main loop  loop       failing   critical       command sent, last answered 3.2 s ago  allowed 1 s
queue      level      degraded  degrading      90, set 500 ms ago                     degrades above 80, fails at 100
cache      condition  unarmed   informational  not reached yet, declared 4.5 s ago
database   condition  ok        readiness      holds, set 500 ms ago                  must be set again within 30 s

INSTANCE    SAYS
4711-1O3EB  reloading: \x1b[1mready

CHECKER      BY              RATE     TOTAL  LAST
10.0.0.2     lmp-udp         0/s      4711   silent for 3 h 2 min, checked 2/s before
10.0.0.3     lmp-watch       0/s      1      silent for 12 s
10.0.0.1     lmp-udp         2/s      86400  300 ms ago
2001:db8::1  grpc-watch      0/s      1      watching
unix         grpc-watch\x1b  0.017/s  7      watching, 2 times
`, ""}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := runTo("status", "-addr", "unix:"+path, "vod"); got.code != 0 || !bytes.HasSuffix([]byte(got.out), []byte("\n\nIt has no landmarks.\n\nNo checker has checked it in the last day, or since landmarkd started.\n")) {
		t.Errorf("without landmarks or checkers: %+v", got)
	}
}

func TestStatusOfNone(t *testing.T) {
	path := socketPath(t)
	(&landmarkd{}).serve(t, path)
	want := result{0, "There is no service: no program has reported, and none is configured.\n", ""}
	if got := runTo("status", "-addr", "unix:"+path); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	want = result{0, "{\n  \"services\": [],\n  \"checkers\": {\n    \"all\": [],\n    \"unknown\": [],\n    \"bfdSessions\": []\n  }\n}\n", ""}
	if got := runTo("status", "-addr", "unix:"+path, "-o", "json"); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestStatusInJSONIsProtobufJSON(t *testing.T) {
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
	if escaped := terminal.PrintableJSON([]byte(got.out)); !bytes.Equal(escaped, []byte(got.out)) {
		t.Errorf("unprintable characters in %q", got.out)
	}
}

func TestStatusInColours(t *testing.T) {
	var out bytes.Buffer
	if err := statusTable(output{out: &out, Screen: terminal.Screen{Colours: true}}, services(t), gateProblem); err != nil {
		t.Fatal(err)
	}
	const (
		r, g, y, off = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
	)
	want := "SERVICE  STATUS       CAUSE     WEIGHT  LIVENESS     FOR        FACTS  CHECKED           REASON\n" +
		"backup   " + y + "SERVING" + off + "      -         40%     " + g + "SERVING" + off + "      2 d 7 h    90 ms  by 2, 300 ms ago\n" +
		"epg      " + r + "NOT_SERVING" + off + "  stalled   0%      " + r + "NOT_SERVING" + off + "  2.2 s      3.2 s  " + r + "by 5, 2 silent" + off + "    main loop last answered 3.2 s ago, allowed 1 s; drained, too\n" +
		"mean     " + r + "NOT_SERVING" + off + "  failed    0%      " + g + "SERVING" + off + "      0 ms       0 ms   -                 db does not hold: \\x1b]0;owned\\a\\u202e\n" +
		"vod      " + g + "SERVING" + off + "      -         100%    " + r + "NOT_SERVING" + off + "  2 h 0 min  0 ms   -                 not live: ticks last passed 2 s ago, allowed 1 s\n" +
		"web      " + y + "NOT_SERVING" + off + "  draining  0%      " + g + "SERVING" + off + "      0 ms       0 ms   -                 drained by the program itself\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// bfdServices has BFD sessions in each state. The last one has no other checkers.
func bfdServices(t *testing.T) []*statusv1.Service {
	const serving = `readiness { verdict { status: STATUS_SERVING weight: 100 } status_age { seconds: 3720 } }
		liveness { verdict { status: STATUS_SERVING weight: 100 } }`
	return []*statusv1.Service{
		read(t, new(statusv1.Service), `name: "epg" `+serving+`
			checkers { address: "192.0.2.1" front_end: "lmp-udp" since_last_check { nanos: 300000000 } per_second: 2 total: 7440 }
			bfd_sessions { name: "epg" peer: "192.0.2.2" local: "192.0.2.7" silent: true state_age { seconds: 245 } reason: "the peer is silent" }
			bfd_sessions { name: "epg" peer: "192.0.2.3" local: "192.0.2.7" silent: true state_age { seconds: 3725 } reason: "no valid packet has arrived yet" }
			bfd_sessions { name: "epg" peer: "192.0.2.1" local: "192.0.2.7" up: true state_age { seconds: 3720 } }
			bfd_sessions { name: "epg-liveness" peer: "2001:db8::1" local: "2001:db8::7" state_age { seconds: 2 nanos: 200000000 } reason: "the service does not serve" }`),
		read(t, new(statusv1.Service), `name: "vod" `+serving+`
			bfd_sessions { name: "vod" peer: "192.0.2.1" local: "192.0.2.8" up: true state_age { seconds: 20 } }`),
	}
}

func TestStatusShowsBFDSessions(t *testing.T) {
	path := socketPath(t)
	(&landmarkd{list: bfdServices(t), checkers: read(t, new(statusv1.CheckersResponse), `
		bfd_sessions { name: "readiness" peer: "192.0.2.4" local: "192.0.2.7" up: true state_age { seconds: 20 } }
		bfd_sessions { name: "epgg" peer: "192.0.2.5" local: "192.0.2.7" state_age { seconds: 20 } reason: "the service does not serve" }`)}).serve(t, path)
	for name, want := range map[string]string{
		"": `SERVICE  STATUS   CAUSE  WEIGHT  LIVENESS  FOR        FACTS  CHECKED         REASON
epg      SERVING  -      100%    SERVING   1 h 2 min  0 ms   by 5, 2 silent
vod      SERVING  -      100%    SERVING   1 h 2 min  0 ms   by 1, 0 ms ago

BFD PEER   LOCAL      SERVICE        STATE  FOR   WHY
192.0.2.4  192.0.2.7  readiness      Up     20 s
192.0.2.5  192.0.2.7  unknown: epgg  Down   20 s  the service does not serve
`,
		"epg": `SERVICE  STATUS   CAUSE  WEIGHT  LIVENESS  FOR        FACTS  CHECKED         REASON
epg      SERVING  -      100%    SERVING   1 h 2 min  0 ms   by 5, 2 silent

It has no landmarks.

CHECKER    BY       RATE  TOTAL  LAST
192.0.2.1  lmp-udp  2/s   7440   300 ms ago

BFD PEER     LOCAL        SERVICE       STATE  FOR        WHY
192.0.2.2    192.0.2.7    epg           Down   4 min 5 s  the peer is silent
192.0.2.3    192.0.2.7    epg           Down   1 h 2 min  no valid packet has arrived yet
192.0.2.1    192.0.2.7    epg           Up     1 h 2 min
2001:db8::1  2001:db8::7  epg-liveness  Down   2.2 s      the service does not serve
`,
		"vod": `SERVICE  STATUS   CAUSE  WEIGHT  LIVENESS  FOR        FACTS  CHECKED         REASON
vod      SERVING  -      100%    SERVING   1 h 2 min  0 ms   by 1, 0 ms ago

It has no landmarks.

BFD PEER   LOCAL      SERVICE  STATE  FOR   WHY
192.0.2.1  192.0.2.8  vod      Up     20 s
`,
	} {
		args := []string{"status", "-addr", "unix:" + path}
		if name != "" {
			args = append(args, name)
		}
		if diff := cmp.Diff(result{0, want, ""}, runTo(args...), cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("status %s, -want +got:\n%s", name, diff)
		}
	}
}

// On a narrow screen the reasons stand below the sessions. What is red needs attention.
func TestBFDSessionsFitScreen(t *testing.T) {
	const (
		r, g, y, off = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
		width        = 60
	)
	var out bytes.Buffer
	sessions := bfdServices(t)[0].GetBfdSessions()
	if err := bfdTable(sessions, ofService).Write(&out, terminal.Screen{Width: width, Colours: true}); err != nil {
		t.Fatal(err)
	}
	want := "BFD PEER     LOCAL        SERVICE       STATE  FOR\n" +
		"192.0.2.2    192.0.2.7    epg           " + r + "Down" + off + "   4 min 5 s\n    " + r + "the peer is silent" + off + "\n" +
		"192.0.2.3    192.0.2.7    epg           " + r + "Down" + off + "   1 h 2 min\n    " + r + "no valid packet has arrived yet" + off + "\n" +
		"192.0.2.1    192.0.2.7    epg           " + g + "Up" + off + "     1 h 2 min\n" +
		"2001:db8::1  2001:db8::7  epg-liveness  " + y + "Down" + off + "   2.2 s\n    " + y + "the service does not serve" + off + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Status of one service shows its gate, and that of all services only a gate with a
// problem.
func TestStatusShowsGates(t *testing.T) {
	const taken = "another program has the port of the gate and may answer its checkers: stop it"
	var all []*statusv1.Service
	for _, text := range []string{
		`name: "a" gate { name: "a" address: ":15400" open: true state_age { seconds: 3720 } }`,
		`name: "b" gate { name: "b-liveness" address: "192.0.2.7:15401" state_age { seconds: 2 } }`,
		`name: "c" gate { name: "c" address: ":15402" state_age { seconds: 2 } problem: "` + taken + `" }`,
		`name: "d"`,
	} {
		all = append(all, read(t, new(statusv1.Service), text+` readiness { verdict { status: STATUS_SERVING weight: 100 } }
			liveness { verdict { status: STATUS_SERVING weight: 100 } }`))
	}
	path := socketPath(t)
	(&landmarkd{list: all, checkers: new(statusv1.CheckersResponse)}).serve(t, path)
	const (
		heads = "SERVICE  STATUS   CAUSE  WEIGHT  LIVENESS  FOR   FACTS  CHECKED  REASON\n"
		row   = "        SERVING  -      100%    SERVING   0 ms  0 ms   -\n"
		rest  = "\nIt has no landmarks.\n\nNo checker has checked it in the last day, or since landmarkd started.\n"
	)
	for name, want := range map[string]string{
		"":  heads + "a" + row + "b" + row + "c" + row + "    gate :15402: " + taken + "\nd" + row,
		"a": heads + "a" + row + "    gate :15400 open for 1 h 2 min\n" + rest,
		"b": heads + "b" + row + "    gate 192.0.2.7:15401 of b-liveness closed for 2 s\n" + rest,
		"c": heads + "c" + row + "    gate :15402: " + taken + "\n" + rest,
		"d": heads + "d" + row + rest,
	} {
		args := []string{"status", "-addr", "unix:" + path}
		if name != "" {
			args = append(args, name)
		}
		if diff := cmp.Diff(result{0, want, ""}, runTo(args...), cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("status %s, -want +got:\n%s", name, diff)
		}
	}
	if got := gateProblem(output{Screen: terminal.Screen{Colours: true}}, all[2]); got != "\x1b[31mgate :15402: "+taken+"\x1b[0m" {
		t.Errorf("a problem in colours: %q", got)
	}
}

// Status of all services also shows the checkers of all services together, and of unknown
// names.
func TestStatusOfAllShowsOtherCheckers(t *testing.T) {
	path := socketPath(t)
	(&landmarkd{checkers: read(t, new(statusv1.CheckersResponse), `
		all { address: "10.0.0.2" front_end: "lmp-udp" since_last_check { seconds: 10920 } usual_per_second: 120.4 total: 4711 silent: true }
		unknown { name: "epgg\033" checker { address: "10.0.0.1" front_end: "lmp-tcp" since_last_check { nanos: 300000000 } per_second: 0.1 total: 3 } }`)}).serve(t, path)
	want := result{0, `There is no service: no program has reported, and none is configured.

CHECKED            CHECKER   BY       RATE   TOTAL  LAST
all services       10.0.0.2  lmp-udp  0/s    4711   silent for 3 h 2 min, checked 120/s before
unknown: epgg\x1b  10.0.0.1  lmp-tcp  0.1/s  3      300 ms ago
`, ""}
	if diff := cmp.Diff(want, runTo("status", "-addr", "unix:"+path), cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSilentCheckersAreRed(t *testing.T) {
	var out bytes.Buffer
	if err := checkersTables(output{out: &out, Screen: terminal.Screen{Colours: true}}, services(t)[1:2]); err != nil {
		t.Fatal(err)
	}
	for _, red := range []string{"\x1b[31msilent for 3 h 2 min, checked 2/s before\x1b[0m\n", "\x1b[31msilent for 12 s\x1b[0m\n", "86400  300 ms ago\n"} {
		if !bytes.Contains(out.Bytes(), []byte(red)) {
			t.Errorf("no %q in %q", red, out.String())
		}
	}
}
