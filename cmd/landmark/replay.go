package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/config"
	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/replay"
	"github.com/landmark-health/landmark/internal/terminal"
)

// replayCommand judges again what a journal has recorded.
var replayCommand = command{
	name:    "replay",
	purpose: "show what another configuration would have said of what the journal has recorded",
	prepare: func(flags *flag.FlagSet) action {
		dir := flags.String("journal", "", "`DIR` of the journal, as given to landmarkd")
		file := flags.String("config", "", "`FILE` of the configuration to judge by; without it, the recorded one")
		svg := flags.String("svg", "", "write a timeline of both as an SVG `FILE`")
		return func(_ context.Context, args []string, o output) error {
			switch {
			case len(args) > 0:
				return badArguments("unexpected argument %q: replay takes only flags, and -h lists them", args[0])
			case *dir == "":
				return badArguments("give the journal to replay: -journal DIR")
			}
			return runReplay(*dir, *file, *svg, o)
		}
	},
}

func runReplay(dir, file, svg string, o output) error {
	var c replay.Config
	if file != "" {
		f, err := config.Read(file)
		if err != nil {
			return badArguments("-config: %v", err)
		}
		if c.Policies = f.Services; c.Policies == nil {
			c.Policies = map[string]registry.Policy{}
		}
	}
	lines, err := journal.Read(dir)
	if err != nil {
		return badArguments("-journal: %v; give the directory that landmarkd writes to", err)
	}
	r := replay.Run(lines, c)
	if r.Runs == 0 && r.Damaged == 0 {
		return badArguments("-journal: %s has no journal; give the directory that landmarkd writes to", dir)
	}
	if err := printReplay(o, r, time.Now()); err != nil || svg == "" {
		return err
	}
	return writeSVG(r, svg)
}

// writeSVG writes the timeline. It touches the file only if there is one to write.
func writeSVG(r *replay.Report, path string) error {
	var b bytes.Buffer
	if err := r.WriteSVG(&b); err != nil {
		return err
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("-svg: %w", err)
	}
	return nil
}

// printReplay prints a table with a row for each service, and what is not certain. Times are
// in the zone of now.
func printReplay(o output, r *replay.Report, now time.Time) error {
	if _, err := fmt.Fprintf(o.out, "%s of landmarkd, from %s to %s\n", count(r.Runs, "run"),
		terminal.Clock(r.From, now), terminal.Clock(r.To, now)); err != nil {
		return err
	}
	t := terminal.NewTable("SERVICE", "TAKEOUTS", "AVOIDED", "ADDED", "HANG SERVED", "OUT", "OUT HEALTHY")
	for _, s := range r.Services {
		least, most := s.New, s.New
		about := ""
		if s.Bounded {
			most, about = s.Most, "about "
		}
		t.Add([]terminal.Cell{
			terminal.Text(terminal.Printable(s.Name)),
			terminal.Text(fmt.Sprintf("%d → %s%d", s.Recorded.Takeouts, about, s.New.Takeouts)),
			terminal.Text(fmt.Sprintf("%s%d", about, s.Avoided)),
			terminal.Text(fmt.Sprintf("%s%d", about, s.Added)),
			terminal.Text(change(s.Recorded.HangServed, min(least.HangServed, most.HangServed), max(least.HangServed, most.HangServed))),
			terminal.Text(change(s.Recorded.Out, least.Out, most.Out)),
			terminal.Text(change(s.Recorded.OutHealthy, min(least.OutHealthy, most.OutHealthy), max(least.OutHealthy, most.OutHealthy))),
		}, notesOf(s)...)
	}
	if err := o.tableBelow(t); err != nil {
		return err
	}
	for _, p := range r.Problems {
		fmt.Fprintf(o.err, "landmark: warning: %s\n", terminal.Printable(p.Error()))
	}
	if more := r.Damaged - len(r.Problems); more > 0 {
		fmt.Fprintf(o.err, "landmark: warning: %s more\n", count(more, "damaged line"))
	}
	if r.Lost > 0 {
		fmt.Fprintf(o.err, "landmark: warning: %s missing: after each gap a service is left out until its facts are complete again\n", count(int(r.Lost), "line"))
	}
	return nil
}

// notesOf returns what is not certain about a service.
func notesOf(s *replay.ServiceResult) (notes []string) {
	if s.Bounded {
		notes = append(notes, fmt.Sprintf("bounds only: the journal does not say exactly how old %s became below what was allowed", names(s.Inexact)))
	}
	if len(s.Unjudged) > 0 {
		notes = append(notes, fmt.Sprintf("left out, because the journal does not have them: %s", names(s.Unjudged)))
	}
	return notes
}

func names(all []string) string {
	printable := make([]string, len(all))
	for i, n := range all {
		printable[i] = terminal.Printable(n)
	}
	slices.Sort(printable)
	return strings.Join(printable, ", ")
}

// change formats what became of a duration, which is between least and most.
func change(from, least, most time.Duration) string {
	format := func(d time.Duration) string { return duration.Format(d.Round(time.Millisecond)) }
	text := format(from) + " → " + format(least)
	if format(most) != format(least) {
		text += " to " + format(most)
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
