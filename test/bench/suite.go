package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landmark-health/landmark/test/bench/report"
)

// suite is what the rows share.
type suite struct {
	programs
	short  bool
	began  time.Time
	commit string
	host   hostState
}

// newSuite builds the programs. The caller must call remove.
func newSuite(ctx context.Context, landmarkd string, short bool) (s *suite, remove func(), err error) {
	s = &suite{short: short, began: time.Now(), commit: commit()}
	s.programs, remove, err = build(ctx, landmarkd)
	return s, remove, err
}

// rounds is how often something is measured in turn, in a short run once.
func (s *suite) rounds(n int) int {
	if s.short {
		return 1
	}
	return n
}

// scaled is how long something is measured, in a short run for an instant.
func (s *suite) scaled(d time.Duration) time.Duration {
	if s.short {
		return min(d/20, 300*time.Millisecond)
	}
	return d
}

// size is how many there are of something, in a short run a few.
func (s *suite) size(n int) int {
	if s.short {
		return max(1, n/100)
	}
	return n
}

// rowsAtOnce is how many rows run at a time in a short run, because they mostly wait.
const rowsAtOnce = 6

// outcome is what came of one row.
type outcome struct {
	measured
	err  error
	busy string // why the host was too busy, if it was
	done bool
}

// measureAll measures the rows, prints a table of them, and returns a line for each goal of
// theirs. If ctx ends before that, the lines and the table are of the rows that were
// measured by then, and the error is that of ctx.
func (s *suite) measureAll(ctx context.Context, chosen []row, table, progress io.Writer) (lines []report.Line, plots []report.Plot, err error) {
	outcomes := make([]outcome, len(chosen))
	var group errgroup.Group
	group.SetLimit(1)
	if s.short {
		group.SetLimit(rowsAtOnce)
	}
	for i, r := range chosen {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			before := time.Now()
			outcomes[i] = s.measure(ctx, r)
			if outcomes[i].done {
				fmt.Fprintf(progress, "%s: %.1f s\n", r.name, time.Since(before).Seconds())
			}
			return ctx.Err()
		})
	}
	err = group.Wait()

	throughput := &report.Bars{Name: "throughput", Title: "Answers a second, saturated", Unit: "thousands", Series: []string{"landmarkd", "the same in C, or grpc-go's health.Server", "a plain Go server"}}
	curves := &report.Lines{Name: "percentiles", Title: "Time from request or change to answer", X: "percentile", Y: "µs", Ticks: percentileTicks(), Labels: percentileLabels()}
	for i, o := range outcomes {
		if !o.done {
			continue
		}
		lines = append(lines, s.fill(chosen[i].lines, o)...)
		plots = append(plots, o.plots...)
		throughput.Groups = append(throughput.Groups, o.throughput...)
		curves.Series = append(curves.Series, o.curves...)
	}
	if len(curves.Series) > 0 {
		plots = append([]report.Plot{curves}, plots...)
	}
	if len(throughput.Groups) > 0 {
		plots = append([]report.Plot{throughput}, plots...)
	}
	if len(lines) > 0 {
		fmt.Fprint(table, report.Table(lines))
	}
	return lines, plots, err
}

// measure measures one row. It is not done if ctx has ended.
func (s *suite) measure(ctx context.Context, r row) (o outcome) {
	if !s.short {
		s.host.begin()
	}
	o.measured, o.err = r.measure(ctx, s)
	if !s.short {
		o.busy = s.host.end()
	}
	if o.err == nil && len(o.figures) != len(r.lines) {
		o.err = fmt.Errorf("has %d figures for %d lines", len(o.figures), len(r.lines))
	}
	o.done = ctx.Err() == nil
	return o
}

// fill puts what came of a row into its lines.
func (s *suite) fill(lines []report.Line, o outcome) (filled []report.Line) {
	for i, line := range lines {
		f := figure{value: math.NaN()}
		switch missing := missingError(""); {
		case errors.As(o.err, &missing):
			f.missing = o.err.Error()
		case o.err != nil:
			f.failed = o.err.Error()
		default:
			f = o.figures[i]
		}
		if s.short && f.missing == "" && f.failed == "" {
			line.Value, line.Detail = f.value, f.detail // which say nothing
		} else {
			f.fill(&line, o.busy)
		}
		filled = append(filled, line)
	}
	return filled
}

// exitError returns the error with which the run ends.
func (s *suite) exitError(lines []report.Line) error {
	var missed, inconclusive int
	for _, l := range lines {
		switch {
		case l.Outcome == report.NotMet:
			missed++
		case l.Outcome == report.Inconclusive:
			inconclusive++
		}
	}
	switch {
	case missed > 0:
		return fmt.Errorf("%w: %d of %d lines", errNotMet, missed, len(lines))
	case inconclusive > 0:
		return fmt.Errorf("%w: %d of %d lines", errInconclusive, inconclusive, len(lines))
	}
	return nil
}

// about says of what the figures are.
func (s *suite) about() string {
	return fmt.Sprintf("Measured on %s at commit %s, in %v, on %s.%s",
		s.began.UTC().Format("2006-01-02"), s.commit, time.Since(s.began).Round(time.Second), machine(), s.host.summary())
}

// commit returns the commit of the working directory, "unknown" without git.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// machine describes this machine in words.
func machine() string {
	cpu := "an unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		cores := strings.Count(string(text), "\nprocessor") + 1
		if _, name, ok := strings.Cut(string(text), "model name"); ok {
			name, _, _ = strings.Cut(name, "\n")
			cpu = fmt.Sprintf("%d cores of %s", cores, strings.Trim(name, "\t :"))
		}
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return cpu
	}
	return fmt.Sprintf("%s, Linux %s", cpu, strings.TrimSpace(string(kernel)))
}
