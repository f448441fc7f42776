package main

import (
	"io"
	"strings"
	"testing"
)

func TestTranscriptPrintsAsGoTest(t *testing.T) {
	events := `
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"    p_test.go:5: all is well\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"--- PASS: TestGood (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestLVS","Output":"=== RUN   TestLVS\n"}
{"Action":"output","Package":"p","Test":"TestLVS","Output":"    p_test.go:7: no keepalived: apt-get install it\n"}
{"Action":"output","Package":"p","Test":"TestLVS","Output":"--- SKIP: TestLVS (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestLVS"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    p_test.go:9: got 1, want 2\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestBad"}
{"Action":"output","Package":"p","Test":"TestOpen","Output":"=== RUN   TestOpen\n"}
{"Action":"output","Package":"p","Test":"TestOpen","Output":"panic: no more\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.01s\n"}
{"Action":"fail","Package":"p"}
{"Action":"output","Package":"q","Output":"PASS\n"}
{"Action":"output","Package":"q","Output":"ok  \tq\t0.01s\n"}
{"Action":"pass","Package":"q"}
{"Action":"skip","Package":"empty"}
`
	tests := []struct {
		name    string
		verbose bool
		shown   []string
		hidden  []string
	}{{
		name:   "quiet",
		shown:  []string{"got 1, want 2", "--- FAIL: TestBad", "panic: no more", "FAIL\tp", "ok  \tq"},
		hidden: []string{"=== RUN", "all is well", "no keepalived", "PASS"},
	}, {
		name:    "verbose",
		verbose: true,
		shown: []string{"=== RUN   TestGood", "all is well", "no keepalived", "got 1, want 2",
			"panic: no more", "FAIL\tp", "ok  \tq"},
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, leftOut strings.Builder
			if err := relay(newTranscript(&out, &leftOut, tt.verbose), strings.NewReader(events)); err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.shown {
				if n := strings.Count(out.String(), want); n != 1 {
					t.Errorf("%q is shown %d times, want once", want, n)
				}
			}
			for _, unwanted := range tt.hidden {
				if strings.Contains(out.String(), unwanted) {
					t.Errorf("%q is shown", unwanted)
				}
			}
			const want = "p TestLVS: no keepalived: apt-get install it\n"
			if leftOut.String() != want {
				t.Errorf("left out %q, want %q", leftOut.String(), want)
			}
			if t.Failed() {
				t.Logf("shown:\n%s", out.String())
			}
		})
	}
}

func TestRelayRejectsInvalidJSON(t *testing.T) {
	err := relay(newTranscript(new(strings.Builder), new(strings.Builder), false), strings.NewReader("no JSON"))
	if err == nil {
		t.Fatal("relay(no JSON) = nil, want an error")
	}
}

// A run is inconclusive if and only if inconclusive packages are its only failures.
func TestInconclusiveNeedsOnlyInconclusiveFailures(t *testing.T) {
	const unknown, failed = "inconclusive: the host was slow\n", "panic: no\n"
	for _, tt := range []struct {
		name   string
		events []event
		want   bool
	}{
		{"passed", []event{{Action: "pass", Package: "p"}}, false},
		{"inconclusive package", []event{
			{Action: "output", Package: "p", Output: unknown}, {Action: "output", Package: "p", Output: unknown}, {Action: "fail", Package: "p"}}, true},
		{"inconclusive package and failed test", []event{
			{Action: "output", Package: "p", Output: unknown}, {Action: "fail", Package: "p"},
			{Action: "fail", Package: "q", Test: "TestQ"}, {Action: "fail", Package: "q"}}, false},
		{"failed package", []event{
			{Action: "output", Package: "p", Output: failed}, {Action: "fail", Package: "p"}}, false},
		{"test that prints the line", []event{
			{Action: "output", Package: "p", Test: "TestP", Output: unknown}, {Action: "fail", Package: "p", Test: "TestP"}, {Action: "fail", Package: "p"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTranscript(io.Discard, io.Discard, false)
			for _, e := range tt.events {
				tr.add(e)
			}
			if got := tr.inconclusive(); got != tt.want {
				t.Errorf("inconclusive is %v, want %v", got, tt.want)
			}
		})
	}
}
