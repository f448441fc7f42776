package main

import (
	"context"
	"time"
)

// inTurn measures each of several things so many times, in turn, and returns what was
// measured of each. Every second round goes backwards, so that what changes slowly on the
// host does not favour any.
func inTurn[T any](ctx context.Context, rounds int, subjects ...func() (T, error)) ([][]T, error) {
	all := make([][]T, len(subjects))
	for round := range rounds {
		for i := range subjects {
			if round%2 == 1 {
				i = len(subjects) - 1 - i
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			v, err := subjects[i]()
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], v)
		}
	}
	return all, nil
}

// answers is what a server did while it was under load.
type answers struct {
	rate float64       // answers a second
	each time.Duration // CPU time of the server for an answer
	busy float64       // cores that the server used
	p50  time.Duration // from request to answer, if the load measures it
	p99  time.Duration
}

// under measures a process under load. run makes the load, and returns how many answers it
// got, and in what time.
func (p process) under(run func() (answered int, took time.Duration, err error)) (answers, error) {
	before, err := p.cpuTime()
	if err != nil {
		return answers{}, err
	}
	n, took, err := run()
	if err != nil {
		return answers{}, err
	}
	after, err := p.cpuTime()
	used := after - before
	return answers{rate: float64(n) / took.Seconds(), each: used / time.Duration(max(1, n)), busy: used.Seconds() / took.Seconds()}, err
}

// ratios returns the ratios of two series, pair by pair.
func ratios[T any](own, other []T, value func(T) float64) (all []float64) {
	for i := range own {
		all = append(all, value(own[i])/value(other[i]))
	}
	return all
}

func medianOf[T any](all []T, value func(T) float64) float64 {
	var values []float64
	for _, v := range all {
		values = append(values, value(v))
	}
	return median(values)
}

func rateOf(a answers) float64 { return a.rate }
func eachOf(a answers) float64 { return float64(a.each) / 1e3 } // µs
func busyOf(a answers) float64 { return 100 * a.busy }
