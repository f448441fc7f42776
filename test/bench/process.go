package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/sleep"
)

// process is a running process whose cost is measured.
type process int // its number

// usage is what a process has used so far, of all its threads.
type usage struct {
	cpu      time.Duration
	switches int // context switches
}

// cpuTime returns the CPU time that the process has used, of all its threads, including
// those that have ended. It reads the CPU clock of the process, whose number is computed
// from the pid as in clock_getcpuclockid(3).
func (p process) cpuTime() (time.Duration, error) {
	const scheduler = 2 // CPUCLOCK_SCHED: the scheduler's count in nanoseconds
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^int(p)<<3|scheduler), &t); err != nil {
		return 0, fmt.Errorf("reading the CPU clock of process %d: %w", p, err)
	}
	return time.Duration(t.Nano()), nil
}

// usage returns what the process has used so far.
func (p process) usage() (u usage, err error) {
	if u.cpu, err = p.cpuTime(); err != nil {
		return u, err
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p))
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(text)) {
			if name, value, _ := strings.Cut(line, ":"); strings.HasSuffix(name, "voluntary_ctxt_switches") {
				n, err := strconv.Atoi(strings.TrimSpace(value))
				if err != nil {
					return u, fmt.Errorf("%s: %w", path, err)
				}
				u.switches += n
			}
		}
	}
	return u, err
}

// rate is what a process uses while it runs.
type rate struct {
	percent  float64 // CPU time, of one core
	switches float64 // context switches a second
}

// over returns what processes use over the given time, each.
func over(ctx context.Context, d time.Duration, processes ...process) ([]rate, error) {
	before := make([]usage, len(processes))
	rates := make([]rate, len(processes))
	for i, p := range processes {
		var err error
		if before[i], err = p.usage(); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	if !sleep.For(ctx, d) {
		return nil, ctx.Err()
	}
	for i, p := range processes {
		after, err := p.usage()
		if err != nil {
			return nil, err
		}
		seconds := time.Since(began).Seconds()
		rates[i] = rate{
			percent:  100 * (after.cpu - before[i].cpu).Seconds() / seconds,
			switches: float64(after.switches-before[i].switches) / seconds,
		}
	}
	return rates, nil
}

// rss returns the resident memory of the process in MB of 10⁶ bytes (proc(5), statm).
func (p process) rss() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm is %q", text)
	}
	pages, err := strconv.Atoi(fields[1])
	return float64(pages*os.Getpagesize()) / 1e6, err
}
