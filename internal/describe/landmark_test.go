package describe

import (
	"testing"

	"google.golang.org/protobuf/encoding/prototext"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

func TestFactsAndLimitsInWords(t *testing.T) {
	for _, tt := range []struct{ landmark, fact, limit string }{
		{`declared { kind: KIND_ALIVE within_us: 1000000 } fact { reached: true age_us: 200000 count: 7 }`,
			"passed 200 ms ago", "allowed 1 s"},
		{`declared { kind: KIND_ALIVE within_us: 1000000 } fact { age_us: 2000000 }`,
			"not reached yet, declared 2 s ago", ""},
		{`declared { kind: KIND_ALIVE within_us: 1000000 start_within_us: 60000000 } fact { age_us: 61000000 }`,
			"not reached yet, declared 1 min 1 s ago", "must be reached within 1 min 0 s"},
		{`declared { kind: KIND_DEADLINE within_us: 5000000 } fact { reached: true age_us: 1200000 open: true pending: 3 }`,
			"3 open, the oldest begun 1.2 s ago", "allowed 5 s"},
		{`declared { kind: KIND_DEADLINE within_us: 5000000 } fact { reached: true age_us: 7000000 }`,
			"none open, the last ended 7 s ago", "allowed 5 s"},
		{`declared { kind: KIND_DEADLINE within_us: 2000000 } fact { reached: true age_us: 1200000 open: true pending: 3 reason: "connections wait" }`,
			"3 open, the oldest begun 1.2 s ago: connections wait", "allowed 2 s"},
		{`declared { kind: KIND_DEADLINE within_us: 2000000 } fact { reached: true reason: "not permitted" }`,
			"not known: not permitted", "allowed 2 s"},
		{`declared { kind: KIND_LOOP within_us: 2000000 } fact { reached: true age_us: 3200000 open: true lag_us: 400 }`,
			"command sent, last answered 3.2 s ago", "allowed 2 s"},
		{`declared { kind: KIND_LOOP within_us: 2000000 } fact { reached: true age_us: 100000 lag_us: 400 }`,
			"answered 100 ms ago, in <1 ms", "allowed 2 s"},
		{`declared { kind: KIND_LOOP within_us: 2000000 } fact { open: true age_us: 100000 }`,
			"not reached yet, declared 100 ms ago", ""},
		{`declared { kind: KIND_DEADLINE within_us: 5000000 } fact { age_us: 1200000 open: true pending: 1 }`,
			"1 open, the oldest begun 1.2 s ago", "allowed 5 s"},
		{`declared { kind: KIND_LEVEL limits { degrade_at: 80 fail_at: 100 } } fact { reached: true age_us: 1000000 value: 87.5 }`,
			"87.5, set 1 s ago", "degrades above 80, fails at 100"},
		{`declared { kind: KIND_LEVEL limits { degrade_at: 2e6 fail_at: 1e6 } } fact { reached: true age_us: 1000000 value: 1500000 }`,
			"1500000, set 1 s ago", "degrades below 2000000, fails at 1000000"},
		{`declared { kind: KIND_LEVEL limits { degrade_at: 5 fail_at: 5 } } fact { reached: true value: 5 }`,
			"5, set 0 ms ago", "fails at 5 or more"},
		{`declared { kind: KIND_LEVEL limits { degrade_at: 5 fail_at: 5 below: true } } fact { reached: true value: 6 }`,
			"6, set 0 ms ago", "fails at 5 or less"},
		{`declared { kind: KIND_LEVEL limits { degrade_at: 1e15 fail_at: 1e-7 } } fact { reached: true value: 0 }`,
			"0, set 0 ms ago", "degrades below 1e+15, fails at 1e-07"},
		{`declared { kind: KIND_CONDITION ttl_us: 30000000 } fact { reached: true age_us: 1000000 met: true }`,
			"holds, set 1 s ago", "must be set again within 30 s"},
		{`declared { kind: KIND_CONDITION ttl_us: 2500000 } fact { reached: true age_us: 40000 met: true value: 0.0121 }`,
			"holds, checked 40 ms ago, in 12 ms", "must be checked again within 2.5 s"},
		{`declared { kind: KIND_CONDITION ttl_us: 2500000 } fact { reached: true age_us: 40000 value: 1 reason: "no answer" }`,
			"does not hold, checked 40 ms ago, in 1 s: no answer", "must be checked again within 2.5 s"},
		{`declared { kind: KIND_CONDITION } fact { reached: true age_us: 1000000 reason: "connection \033[31mrefused" }`,
			`does not hold, set 1 s ago: connection \x1b[31mrefused`, ""},
	} {
		l := new(statusv1.Landmark)
		if err := prototext.Unmarshal([]byte(tt.landmark), l); err != nil {
			t.Fatal(err)
		}
		if got := Fact(l); got != tt.fact {
			t.Errorf("%s: fact %q, want %q", tt.landmark, got, tt.fact)
		}
		if got := Limit(l); got != tt.limit {
			t.Errorf("%s: limit %q, want %q", tt.landmark, got, tt.limit)
		}
	}
}
