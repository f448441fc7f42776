// Command bench measures what Landmark costs and how fast it answers, beside what the
// same work costs at least on the same machine in the same run, and compares both with
// the goals of docs/benchmarks.md.
//
//	bench [-only PATTERN] [-write PAGE] [-landmarkd FILE] [-short] [-left-out FILE]
//
// It prints the table of all goals; after SIGINT or SIGTERM, of those that were measured
// by then. Its exit status is
//
//	0   if all goals are met or left out,
//	1   if a goal is not met or was not measured,
//	75  otherwise: some goals are inconclusive, because the host was too busy.
//
// docs/benchmarks.md says how each line is measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/landmark-health/landmark/test/bench/report"
)

// exitInconclusive is the exit status of a run that decides nothing, EX_TEMPFAIL of
// sysexits.h.
const exitInconclusive = 75

var (
	errInconclusive = errors.New("the host was too busy to decide about some goals")
	errNotMet       = errors.New("some goals are not met")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch err := run(ctx, os.Args[1:]); {
	case err == nil:
	case errors.Is(err, errInconclusive):
		fmt.Fprintln(os.Stderr, "bench: inconclusive:", err)
		os.Exit(exitInconclusive)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if mode, ok := modes[args[0]]; ok {
			return mode(ctx, args[1:])
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "measure only the rows whose name matches this regular `expression`")
	page := flags.String("write", "", "replace the figures of this `PAGE` in Markdown, and write the plots beside it")
	landmarkd := flags.String("landmarkd", "", "measure the landmarkd in `FILE`, for instance an older one, instead of building one")
	leftOut := flags.String("left-out", "", "append what could not be measured here to `FILE`, one a line")
	short := flags.Bool("short", false, "only run each row, with little load and for an instant: the figures mean nothing and are not judged")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := rowsNamed(*only)
	if err != nil {
		return err
	}
	if *page != "" && (*only != "" || *short) {
		return errors.New("-write needs all rows, so it goes with neither -only nor -short")
	}
	s, remove, err := newSuite(ctx, *landmarkd, *short)
	if err != nil {
		return err
	}
	defer remove()
	lines, plots, err := s.measureAll(ctx, chosen, os.Stdout, os.Stderr)
	if err != nil {
		return err
	}
	if *page != "" {
		if err := report.Write(*page, s.about(), lines, plots); err != nil {
			return err
		}
	}
	if *leftOut != "" {
		if err := appendLeftOut(*leftOut, lines); err != nil {
			return err
		}
	}
	return s.exitError(lines)
}

// appendLeftOut adds to a file why lines could not be measured, each reason once.
func appendLeftOut(file string, lines []report.Line) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	count := map[string]int{}
	for _, l := range lines {
		if l.Outcome == report.LeftOut {
			count[l.Reason]++
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(count)) {
		if _, err := fmt.Fprintf(f, "%d lines of make bench: %s\n", count[reason], reason); err != nil {
			return err
		}
	}
	return nil
}
