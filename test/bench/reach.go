package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/test/bench/report"
)

// reachRow measures what the program pays at a landmark.
var reachRow = row{
	name: "reach",
	lines: []report.Line{
		{What: "Reach, against an atomic addition", Unit: "×", Goal: report.Goal{AtMost: 1.15}},
		{What: "landmark_reach of landmark.h in C, while nothing is due, against an atomic addition", Unit: "×", Goal: report.Goal{AtMost: 2}},
		{What: "Reach of one landmark on two cores at once, against additions to one shared number", Unit: "×", Goal: report.Goal{AtMost: 1}},
	},
	measure: measureReach,
}

// reachCalls is how often each is called in one turn.
const reachCalls = 5_000_000

func measureReach(ctx context.Context, s *suite) (m measured, err error) {
	set := landmark.NewSet()
	alive := set.Alive("a loop", time.Second)
	// The number is alone in its cache line, as a number of a program may be.
	var shared struct {
		_ [64]byte
		n atomic.Uint64
		_ [64]byte
	}
	calls := s.size(reachCalls)
	reach := func() {
		for range calls {
			alive.Reach()
		}
	}
	add := func() {
		for range calls {
			shared.n.Add(1)
		}
	}
	// each returns how many ns a call takes, with so many at once.
	each := func(f func(), cores int) func() (float64, error) {
		return func() (float64, error) {
			var all sync.WaitGroup
			began := time.Now()
			for range cores {
				all.Go(f)
			}
			all.Wait()
			return float64(time.Since(began)) / float64(calls), nil
		}
	}
	self := func(v float64) float64 { return v }
	for _, cores := range []int{1, 2} {
		if cores == 2 {
			m.figures = append(m.figures, s.reachInC(ctx))
		}
		all, err := inTurn(ctx, s.rounds(15), each(reach, cores), each(add, cores))
		if err != nil {
			return m, err
		}
		m.figures = append(m.figures, ratio(ratios(all[0], all[1], self),
			fmt.Sprintf("%s beside %s ns", report.Digits(median(all[0])), report.Digits(median(all[1])))))
	}
	return m, nil
}

// reachInC compares the agent for C, which is measured by a program of its tests.
func (s *suite) reachInC(ctx context.Context) figure {
	if s.missingC != "" {
		return missing(s.missingC)
	}
	path := filepath.Join(s.directory, "notify.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return failed(err)
	}
	defer conn.Close()
	go func() {
		for b := make([]byte, 8192); ; {
			if _, err := conn.Read(b); err != nil {
				return
			}
		}
	}()
	// each is what it prints: an addition, a Reach, and a Begin with its End.
	type each struct{ add, reach, work float64 }
	all, err := inTurn(ctx, s.rounds(3), func() (e each, err error) {
		cmd := exec.CommandContext(ctx, s.path("reach"), strconv.Itoa(s.size(1_000_000)))
		cmd.Env = []string{"LANDMARK_NOTIFY_SOCKET=" + path}
		out, err := cmd.Output()
		const noAsynchronousIO = 77
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == noAsynchronousIO {
			return e, missingError("the kernel has no asynchronous I/O")
		}
		if err == nil {
			_, err = fmt.Sscan(string(out), &e.add, &e.reach, &e.work)
		}
		return e, err
	})
	if missed := missingError(""); errors.As(err, &missed) {
		return missing(err.Error())
	} else if err != nil {
		return failed(err)
	}
	var ratios []float64
	for _, e := range all[0] {
		ratios = append(ratios, e.reach/e.add)
	}
	e := all[0][0]
	return ratio(ratios, fmt.Sprintf("%s beside %s ns; landmark_begin with landmark_end %s ns", report.Digits(e.reach), report.Digits(e.add), report.Digits(e.work)))
}
