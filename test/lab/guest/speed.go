package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/test/lab/journal"
)

const (
	// starts is how many processes are started to measure the speed.
	starts = 8

	// gapInterval is the interval at which the clock is read. If a reading is more than gapLimit late, that is a gap.
	gapInterval = 10 * time.Millisecond
	gapLimit    = 50 * time.Millisecond

	// urgent is the nice value of the thread that reads the clock. No load in the machine delays it, so the host causes every
	// gap.
	urgent = -20
)

// measureSpeed measures how fast the machine is and derives the timeouts of the scenario: a restart of a sidecar takes
// several starts of a process, and a healthy main loop may be late by several delays. The timeouts are multiplied by factor,
// which is above 1 after a run that a slow moment spoiled.
func measureSpeed(j *journal.Writer, programs string, factor int) (journal.Speed, error) {
	var p journal.Speed
	for range starts {
		began := time.Now()
		if output, err := exec.Command(programs+"/landmarkd", "-version").CombinedOutput(); err != nil {
			return p, fmt.Errorf("starting a process: %w: %s", err, output)
		}
		p.Start = max(p.Start, time.Since(began))
		began = time.Now()
		time.Sleep(gapInterval)
		p.Delay = max(p.Delay, time.Since(began)-gapInterval)
	}
	f := time.Duration(factor)
	p.Timeout = f * max(journal.Timeout, 12*p.Start, 20*p.Delay).Round(100*time.Millisecond)
	p.Within = f * max(journal.Within, 3*p.Start, 10*p.Delay).Round(100*time.Millisecond)
	j.Speed(p)
	return p, nil
}

// watchGaps journals every gap until the context ends. Its thread has the highest priority of the machine.
func watchGaps(ctx context.Context, j *journal.Writer) error {
	runtime.LockOSThread() // never unlocked: the thread ends with its priority
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), urgent); err != nil {
		return fmt.Errorf("raising the priority of the thread that watches for gaps: %w", err)
	}
	interval := unix.NsecToTimespec(int64(gapInterval))
	for last := j.Now(); ctx.Err() == nil; {
		unix.Nanosleep(&interval, nil)
		now := j.Now()
		if gap := now - last - gapInterval; gap > gapLimit {
			j.Gap(journal.Gap{At: last, For: gap})
		}
		last = now
	}
	return nil
}
