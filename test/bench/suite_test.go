package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/landmark-health/landmark/test/bench/report"
)

// An interrupted run prints the rows that were measured before, and no figure of the one
// that was interrupted.
func TestInterruptedRunPrintsWhatWasMeasured(t *testing.T) {
	for name, interrupted := range map[string]error{"by an error": context.Canceled, "as a row ends": nil} {
		t.Run(name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			result := func(end func() error) func(context.Context, *suite) (measured, error) {
				return func(context.Context, *suite) (measured, error) {
					return measured{figures: []figure{amount(1, "")}}, end()
				}
			}
			line := func(what string) []report.Line { return []report.Line{{What: what}} }
			var table strings.Builder
			lines, _, err := new(suite).measureAll(ctx, []row{
				{"one", line("measured"), result(func() error { return nil })},
				{"two", line("interrupted"), result(func() error { interrupt(); return interrupted })},
				{"three", line("never begun"), result(func() error { t.Error("another row is begun"); return nil })},
			}, &table, io.Discard)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got the error %v, want that of the context", err)
			}
			if len(lines) != 1 || lines[0].What != "measured" {
				t.Errorf("got the lines %+v, want only what was measured", lines)
			}
			if text := table.String(); !strings.Contains(text, "| measured |") || strings.Contains(text, "interrupted") || strings.Contains(text, "never") {
				t.Errorf("got the table %q, want only what was measured", text)
			}
		})
	}
}

func TestRunInterruptedAtOncePrintsNoTable(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	never := row{"one", []report.Line{{What: "never begun"}}, func(context.Context, *suite) (measured, error) {
		t.Error("a row is begun")
		return measured{}, nil
	}}
	var table strings.Builder
	if lines, _, err := new(suite).measureAll(ctx, []row{never}, &table, io.Discard); !errors.Is(err, context.Canceled) || len(lines) > 0 || table.Len() > 0 {
		t.Errorf("got the error %v, the lines %+v and the table %q, want only the error of the context", err, lines, table.String())
	}
}
