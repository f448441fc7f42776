package sdnotify

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       Message
	}{
		{"empty", "", Message{}},
		{"ready", "READY=1", Message{Ready: true}},
		{"ready, ended as C strings are", "READY=1\n\x00", Message{Ready: true}},
		{"not ready", "ready=1\nREADY", Message{}},
		{"redis", "STATUS=Ready to accept connections\nREADY=1\n", Message{Ready: true, Status: new("Ready to accept connections")}},
		{"reload", "RELOADING=1\nMONOTONIC_USEC=81234567", Message{Reloading: true, Monotonic: 81234567 * time.Microsecond}},
		{"stopping", "STOPPING=1\nSTATUS=", Message{Stopping: true, Status: new("")}},
		{"the first status counts", "STATUS=a=b\nSTATUS=c", Message{Status: new("a=b")}},
		{"watchdog", "WATCHDOG=1\nWATCHDOG_USEC=20000000", Message{Watchdog: true, WatchdogTimeout: new(20 * time.Second)}},
		{"watchdog off", "WATCHDOG_USEC=0", Message{WatchdogTimeout: new(time.Duration(0))}},
		{"trigger", "WATCHDOG=trigger", Message{Trigger: true}},
		{"forever", "EXTEND_TIMEOUT_USEC=18446744073709551615", Message{ExtendTimeout: 10 * 365 * 24 * time.Hour}},
		{"process", "MAINPID=4711\nERRNO=2", Message{MainPID: 4711, Errno: new(2)}},
		{"barrier", "BARRIER=1", Message{Barrier: true}},
		{"unknown keys", "FDSTORE=1\nFDNAME=a\nX_OTHER=1\n=\n=1\n\n", Message{}},
		{"names", "X_LANDMARK_SERVICE=epg\nX_LANDMARK_INSTANCE=a b", Message{Service: "epg", Instance: "a b"}},
		{"drain", "X_LANDMARK_DRAIN=1\nX_LANDMARK_DRAIN=0", Message{Drain: new(true)}},
		{"facts", "X_LANDMARK_REACH=main loop\nX_LANDMARK_LEVEL=queue:7.5\nX_LANDMARK_CONDITION=db:0:no route: to 1:2\nX_LANDMARK_CONDITION=db:1\nX_LANDMARK_OPEN=load:2:1500\nX_LANDMARK_OPEN=load:0",
			Message{Facts: []Fact{
				{Kind: Reach, Name: "main loop"}, {Kind: Level, Name: "queue", Value: 7.5},
				{Kind: Condition, Name: "db", Reason: "no route: to 1:2"}, {Kind: Condition, Name: "db", Met: true},
				{Kind: Open, Name: "load", Open: 2, Aged: true, Age: 1500 * time.Microsecond}, {Kind: Open, Name: "load"},
			}}},
		{"declarations", "X_LANDMARK_DECLARE=main loop:alive:within=1s\nX_LANDMARK_DECLARE=load:deadline:within=1500000us,start_within=1m,impact=readiness\nX_LANDMARK_DECLARE=queue:level:degrade_at=80,fail_at=100,below=0\nX_LANDMARK_DECLARE=db:condition:ttl=3s\nX_LANDMARK_DECLARE=dns:condition",
			Message{Declarations: []judge.Declared{
				{Name: "main loop", Kind: judge.KindAlive, Impact: judge.ImpactCritical, Within: time.Second},
				{Name: "load", Kind: judge.KindDeadline, Impact: judge.ImpactReadiness, Within: 1500 * time.Millisecond, StartWithin: time.Minute},
				{Name: "queue", Kind: judge.KindLevel, Impact: judge.ImpactDegrading, Limits: judge.Limits{DegradeAt: 80, FailAt: 100}},
				{Name: "db", Kind: judge.KindCondition, Impact: judge.ImpactReadiness, TTL: 3 * time.Second},
				{Name: "dns", Kind: judge.KindCondition, Impact: judge.ImpactReadiness},
			}}},
	} {
		got, err := Parse([]byte(tt.data))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if got.Problem != nil {
			t.Errorf("%s: got problem %v", tt.name, got.Problem)
		} else if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A line with a mistake is ignored and says what is wrong. The others count.
func TestParseReportsMistakes(t *testing.T) {
	for line, says := range map[string]string{
		"MAINPID=-1":                                                    `MAINPID: "-1" is not a number`,
		"ERRNO=ENOENT":                                                  `ERRNO: "ENOENT" is not a number`,
		"WATCHDOG_USEC=1s":                                              `WATCHDOG_USEC: "1s" is not a number`,
		"READY=yes":                                                     "write 1",
		"STOPPING=0":                                                    "write 1",
		"WATCHDOG=triggered":                                            "write 1",
		"X_LANDMARK_REECH=a":                                            "is not a key",
		"X_LANDMARK_SERVICE=epg-liveness":                               "X_LANDMARK_SERVICE: ",
		"X_LANDMARK_INSTANCE=":                                          "X_LANDMARK_INSTANCE: is empty",
		"X_LANDMARK_DRAIN=yes":                                          "neither 0 nor 1",
		"X_LANDMARK_REACH=":                                             "the name is empty",
		"X_LANDMARK_REACH=a:b":                                          "has no colon",
		"X_LANDMARK_LEVEL=queue":                                        "is not a finite number; write NAME:NUMBER",
		"X_LANDMARK_LEVEL=queue:NaN":                                    "is not a finite number",
		"X_LANDMARK_CONDITION=db":                                       "neither 0 nor 1",
		"X_LANDMARK_OPEN=load:-1":                                       "is not a number",
		"X_LANDMARK_OPEN=load:1:":                                       "is not a number",
		"X_LANDMARK_DECLARE=a":                                          `"" is not a kind`,
		"X_LANDMARK_DECLARE=a:loop:within=1s":                           `"loop" is not a kind`,
		"X_LANDMARK_DECLARE=:alive:within=1s":                           "the name is empty",
		"X_LANDMARK_DECLARE=a:alive":                                    "a: within is missing",
		"X_LANDMARK_DECLARE=a:alive:within=1":                           "a number and its unit",
		"X_LANDMARK_DECLARE=a:alive:within=1ms":                         "within must be 100ms to 24h",
		"X_LANDMARK_DECLARE=a:alive:within=1s,within=2s":                "has within twice",
		"X_LANDMARK_DECLARE=a:alive:within=1s,ttl=1s":                   "has no ttl",
		"X_LANDMARK_DECLARE=a:alive:within=1s,":                         "",
		"X_LANDMARK_DECLARE=a:alive:within=1s,speed=9":                  `"speed" is not an option`,
		"X_LANDMARK_DECLARE=a:condition:within=1s":                      "has no within",
		"X_LANDMARK_DECLARE=a:condition:fail_at=1":                      "has no degrade_at",
		"X_LANDMARK_DECLARE=a:level:fail_at=1":                          "degrade_at and fail_at are needed",
		"X_LANDMARK_DECLARE=a:level:fail_at=1,degrade_at=x":             "degrade_at \"x\" is not",
		"X_LANDMARK_DECLARE=a:condition:impact=bad":                     "is not an impact",
		"X_LANDMARK_DECLARE=a:condition:below=1":                        "has no degrade_at",
		"X_LANDMARK_DECLARE=" + strings.Repeat("a", 129) + ":condition": "use 128 at most",
	} {
		m, err := Parse([]byte(line + "\nREADY=1"))
		if err != nil || !m.Ready {
			t.Errorf("%.60s: got %+v, %v, want the other line to count", line, m, err)
			continue
		}
		if says == "" {
			if m.Problem != nil {
				t.Errorf("%.60s: got problem %v", line, m.Problem)
			}
			continue
		}
		if m.Problem == nil || !strings.Contains(m.Problem.Error(), says) {
			t.Errorf("%.60s: got problem %v, want it to contain %q", line, m.Problem, says)
		}
		m.Ready, m.Problem = false, nil
		if diff := cmp.Diff(Message{}, m); diff != "" {
			t.Errorf("%.60s is not ignored (-want +got):\n%s", line, diff)
		}
	}
}

func TestParseRejectsNUL(t *testing.T) {
	for _, data := range []string{"READY=1\x00STOPPING=1", "\x00READY=1", "READY=1\x00\x00"} {
		if _, err := Parse([]byte(data)); err == nil {
			t.Errorf("%q: got no error", data)
		}
	}
}

// Whatever parses is within the limits that landmarkd keeps.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"READY=1\nSTATUS=Ready.\nMAINPID=4711\n", "RELOADING=1\nMONOTONIC_USEC=1", "WATCHDOG=trigger\nWATCHDOG_USEC=1\nERRNO=1",
		"X_LANDMARK_SERVICE=epg\nX_LANDMARK_DECLARE=a:alive:within=1s,impact=critical\nX_LANDMARK_REACH=a",
		"X_LANDMARK_DECLARE=q:level:degrade_at=1,fail_at=2,below=1\nX_LANDMARK_LEVEL=q:1e9\nX_LANDMARK_OPEN=l:1:5\nX_LANDMARK_CONDITION=c:1:x",
		"X_LANDMARK_CONDITION=c:0:\xff\xfe", "STATUS=\xff", "\x00", "A=\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			if diff := cmp.Diff(Message{}, m); diff != "" {
				t.Errorf("%q is rejected, and has: %s", data, diff)
			}
			return
		}
		if m.Status != nil && (len(*m.Status) > MaxStatus || !utf8.ValidString(*m.Status)) {
			t.Errorf("status %q", *m.Status)
		}
		if m.MainPID < 0 || m.ExtendTimeout < 0 || m.Monotonic < 0 || m.WatchdogTimeout != nil && *m.WatchdogTimeout < 0 {
			t.Errorf("a negative number: %+v", m)
		}
		if m.Service != "" && contract.CheckServiceName(m.Service) != nil || m.Instance != "" && contract.CheckInstanceName(m.Instance) != nil {
			t.Errorf("service %q, instance %q", m.Service, m.Instance)
		}
		for _, d := range m.Declarations {
			rules, known := judge.RulesOf(d.Kind)
			if contract.CheckLandmarkName(d.Name) != nil || !known || rules.HasWithin != (d.Within != 0) || d.Impact == 0 {
				t.Errorf("declaration %+v", d)
			}
		}
		for _, fact := range m.Facts {
			if contract.CheckLandmarkName(fact.Name) != nil || len(fact.Reason) > contract.MaxReason || !utf8.ValidString(fact.Reason) || fact.Age < 0 || fact.Value != fact.Value {
				t.Errorf("fact %+v", fact)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	data := []byte("X_LANDMARK_SERVICE=epg\nX_LANDMARK_REACH=main loop")
	b.ReportAllocs()
	for b.Loop() {
		Parse(data)
	}
}
