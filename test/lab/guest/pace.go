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
	// starts is how many processes are started to measure the pace.
	starts = 8

	// pulseInterval lies between two looks at the clock, and gapLimit is from when on a longer pause is a gap.
	pulseInterval = 10 * time.Millisecond
	gapLimit      = 50 * time.Millisecond

	// urgent is the nice value of the thread that looks: no load inside the machine delays it, so a gap is the host's.
	urgent = -20
)

// measurePace measures how fast the machine is and derives the patience of everything that plays in it: a restart of a
// sidecar takes several starts of a process, and a healthy main loop may be late by several delays. factor lengthens what
// was derived, after a run that a slower moment spoiled.
func measurePace(j *journal.Writer, programs string, factor int) (journal.Pace, error) {
	var p journal.Pace
	for range starts {
		began := time.Now()
		if output, err := exec.Command(programs+"/landmarkd", "-version").CombinedOutput(); err != nil {
			return p, fmt.Errorf("starting a process: %w: %s", err, output)
		}
		p.Start = max(p.Start, time.Since(began))
		began = time.Now()
		time.Sleep(pulseInterval)
		p.Delay = max(p.Delay, time.Since(began)-pulseInterval)
	}
	f := time.Duration(factor)
	p.Patience = f * max(journal.Patience, 12*p.Start, 20*p.Delay).Round(100*time.Millisecond)
	p.Within = f * max(journal.Within, 3*p.Start, 10*p.Delay).Round(100*time.Millisecond)
	j.Pace(p)
	return p, nil
}

// watchPulse journals every gap until the context ends. Its thread is the machine's most urgent one.
func watchPulse(ctx context.Context, j *journal.Writer) error {
	runtime.LockOSThread() // never unlocked: the thread ends with its priority
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), urgent); err != nil {
		return fmt.Errorf("making the pulse urgent: %w", err)
	}
	interval := unix.NsecToTimespec(int64(pulseInterval))
	for last := j.Now(); ctx.Err() == nil; {
		unix.Nanosleep(&interval, nil)
		now := j.Now()
		if gap := now - last - pulseInterval; gap > gapLimit {
			j.Gap(journal.Gap{At: last, For: gap})
		}
		last = now
	}
	return nil
}
