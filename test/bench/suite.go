package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

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

// measureAll measures the wanted rows, and returns a line for each goal of theirs.
func (s *suite) measureAll(ctx context.Context, progress io.Writer, wanted *regexp.Regexp) (lines []report.Line, plots []report.Plot, err error) {
	throughput := &report.Bars{Name: "throughput", Title: "Answers a second, saturated", Unit: "thousands", Series: []string{"landmarkd", "the same in C, or grpc-go's health.Server", "a plain Go server"}}
	curves := &report.Lines{Name: "percentiles", Title: "Time from request or change to answer", X: "percentile", Y: "µs", Ticks: percentileTicks(), Labels: percentileLabels()}
	for _, r := range rows {
		if !wanted.MatchString(r.name) {
			continue
		}
		before := time.Now()
		s.host.begin()
		m, err := r.measure(ctx, s)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		busy := s.host.end()
		if err == nil && len(m.figures) != len(r.lines) {
			err = fmt.Errorf("has %d figures for %d lines", len(m.figures), len(r.lines))
		}
		for i, line := range r.lines {
			f := figure{value: math.NaN()}
			switch missing := missingError(""); {
			case errors.As(err, &missing):
				f.missing = err.Error()
			case err != nil:
				f.failed = err.Error()
			default:
				f = m.figures[i]
			}
			if s.short && f.missing == "" && f.failed == "" {
				line.Value, line.Detail = f.value, f.detail // which say nothing
			} else {
				f.fill(&line, busy)
			}
			lines = append(lines, line)
		}
		plots = append(plots, m.plots...)
		throughput.Groups = append(throughput.Groups, m.throughput...)
		curves.Series = append(curves.Series, m.curves...)
		fmt.Fprintf(progress, "%s: %.1f s\n", r.name, time.Since(before).Seconds())
	}
	if len(lines) == 0 {
		return nil, nil, fmt.Errorf("no row has a name that matches %s", wanted)
	}
	if len(curves.Series) > 0 {
		plots = append([]report.Plot{curves}, plots...)
	}
	if len(throughput.Groups) > 0 {
		plots = append([]report.Plot{throughput}, plots...)
	}
	return lines, plots, nil
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
