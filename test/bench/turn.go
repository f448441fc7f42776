package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/landmark-health/landmark/test/bench/report"
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

// eventsOfSample is how many events in a row make a sample, where one alone is over within
// milliseconds. Single ones differ by more than what is measured.
const eventsOfSample = 5

// eventRatios returns the ratios of the medians of eventsOfSample events in a row.
func eventRatios[T any](own, other []T, value func(T) float64) (all []float64) {
	others := slices.Collect(slices.Chunk(other, eventsOfSample))
	for i, events := range slices.Collect(slices.Chunk(own, eventsOfSample)) {
		all = append(all, medianOf(events, value)/medianOf(others[i], value))
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

// fullLoad is how much of a core a server uses that is saturated, in percent.
const fullLoad = 90

// throughput is the ratio of the answers a second of two servers that were saturated. If
// the other one was not, because the load or the host was the limit, it is that of the
// answers for the same processor time.
func throughput(own, other []answers) figure {
	detail := sideBySide(own, other)
	if medianOf(other, busyOf) >= fullLoad {
		return ratio(ratios(own, other, rateOf), detail)
	}
	f := ratio(ratios(other, own, eachOf), detail)
	f.detail += fmt.Sprintf("; the reference was not saturated, so this is the ratio of the processor times, and that of the rates is %s", report.Digits(median(ratios(own, other, rateOf))))
	return f
}

// sideBySide says what a server and its reference did, in numbers.
func sideBySide(own, other []answers) string {
	return fmt.Sprintf("%s beside %s thousand a second; %s beside %s µs of processor time for an answer; %.0f %% beside %.0f %% of a core",
		report.Digits(medianOf(own, rateOf)/1e3), report.Digits(medianOf(other, rateOf)/1e3),
		report.Digits(medianOf(own, eachOf)), report.Digits(medianOf(other, eachOf)),
		medianOf(own, busyOf), medianOf(other, busyOf))
}

func rateOf(a answers) float64 { return a.rate }
func eachOf(a answers) float64 { return float64(a.each) / 1e3 } // µs
func busyOf(a answers) float64 { return 100 * a.busy }
