package main

import (
	"io"
	"testing"
)

// Only a run in which nothing failed but packages without a conclusion is one without a conclusion itself.
func TestInconclusive(t *testing.T) {
	const unknown, failed = "inconclusive: the host was slow\n", "panic: no\n"
	for _, tt := range []struct {
		name   string
		events []event
		want   bool
	}{
		{"passed", []event{{Action: "pass", Package: "p"}}, false},
		{"a package without a conclusion", []event{
			{Action: "output", Package: "p", Output: unknown}, {Action: "output", Package: "p", Output: unknown}, {Action: "fail", Package: "p"}}, true},
		{"a test that failed beside", []event{
			{Action: "output", Package: "p", Output: unknown}, {Action: "fail", Package: "p"},
			{Action: "fail", Package: "q", Test: "TestQ"}, {Action: "fail", Package: "q"}}, false},
		{"a package that failed", []event{
			{Action: "output", Package: "p", Output: failed}, {Action: "fail", Package: "p"}}, false},
		{"a test that prints the same", []event{
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
