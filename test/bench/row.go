package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/landmark-health/landmark/test/bench/report"
)

// row is one measurement, which gives one or more lines of the table.
type row struct {
	name    string // what -only matches
	lines   []report.Line
	measure func(ctx context.Context, s *suite) (measured, error)
}

// measured is what a row has measured.
type measured struct {
	figures []figure // one for each line of the row
	plots   []report.Plot
	// throughput and curves are parts of plots to which several rows add.
	throughput []report.Group
	curves     []report.Series
}

// figure is what was measured for one line.
type figure struct {
	value float64
	// samples are the ratios of the single pairs, if the value is the median of ratios.
	samples []float64
	detail  string
	missing string // why it could not be measured here
	failed  string // why there is no value though it was measured
}

// ratio is the median of the ratios of pairs that were measured in turn.
func ratio(samples []float64, detail string) figure {
	return figure{value: median(samples), samples: samples, detail: detail}
}

// amount is a value that is not compared with anything else.
func amount(value float64, detail string) figure { return figure{value: value, detail: detail} }

// missing is a figure that cannot be measured here.
func missing(reason string) figure { return figure{value: math.NaN(), missing: reason} }

// failed is a figure of what did not work.
func failed(err error) figure { return figure{value: math.NaN(), failed: err.Error()} }

// missingError is a reason why a row cannot be measured here.
type missingError string

func (e missingError) Error() string { return string(e) }

// maxSpread is how far the quartiles of ratios may be apart, as a share of the median, if
// the goal lies between them.
const maxSpread = 0.1

// fill puts the figure into its line. busy says why the host is too busy, if it is.
//
// Load of others makes an amount larger, and never smaller. So an amount that holds is
// met, however busy the host is. Of a ratio nothing is known if the pairs differ so much
// that another run could say the opposite.
func (f figure) fill(l *report.Line, busy string) {
	l.Value, l.Detail = f.value, f.detail
	decided := l.Goal != report.Goal{}
	switch {
	case f.missing != "":
		l.Outcome, l.Reason = report.LeftOut, f.missing
	case f.failed != "":
		l.Outcome, l.Reason = report.NotMet, f.failed
	case !decided:
		l.Outcome = report.Shown
	case f.samples != nil:
		low, high := quartiles(f.samples)
		switch {
		case l.Goal.Holds(low) != l.Goal.Holds(high) && (high-low)/f.value > maxSpread:
			l.Outcome = report.Inconclusive
			l.Reason = fmt.Sprintf("the quartiles of %d pairs are %s and %s", len(f.samples), report.Digits(low), report.Digits(high))
		case busy != "" && !l.Goal.Holds(f.value):
			l.Outcome, l.Reason = report.Inconclusive, busy
		case l.Goal.Holds(f.value):
			l.Outcome = report.Met
		default:
			l.Outcome = report.NotMet
		}
	case l.Goal.Holds(f.value):
		l.Outcome = report.Met
	case busy != "":
		l.Outcome, l.Reason = report.Inconclusive, busy
	default:
		l.Outcome = report.NotMet
	}
}

func median(all []float64) float64 { return quantile(all, 0.5) }

func quartiles(all []float64) (low, high float64) { return quantile(all, 0.25), quantile(all, 0.75) }

// quantile returns the value that at most the given share of all are below.
func quantile[T float64 | int64](all []T, share float64) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
