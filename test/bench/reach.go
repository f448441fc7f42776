package main

import (
	"context"
	"fmt"
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
		all, err := inTurn(ctx, s.rounds(15), each(reach, cores), each(add, cores))
		if err != nil {
			return m, err
		}
		m.figures = append(m.figures, ratio(ratios(all[0], all[1], self),
			fmt.Sprintf("%s beside %s ns", report.Digits(median(all[0])), report.Digits(median(all[1])))))
	}
	return m, nil
}
