package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/landmark-health/landmark/test/bench/load"
	"github.com/landmark-health/landmark/test/bench/report"
)

// pacedRow checks over UDP at a rate that many checkers together have.
var pacedRow = row{
	name: "udp paced",
	lines: []report.Line{
		{What: "LMP CHECK over UDP at 1,000/s, against C: time to the answer, p50", Unit: "×", Goal: report.Goal{AtMost: 1.1}},
		{What: "the same: processor time for a request", Unit: "×", Goal: report.Goal{AtMost: 1.4}},
	},
	measure: measurePaced,
}

const (
	pacedRate = 1000
	pacedTime = 2 * time.Second
)

// paced is what a server did at a fixed rate.
type paced struct {
	took []time.Duration
	each time.Duration // CPU time of the server for a request
}

func measurePaced(ctx context.Context, s *suite) (m measured, err error) {
	c, err := s.startC("udp", "127.0.0.1", "0")
	if err != nil {
		return m, err
	}
	defer c.stop()
	d, err := s.startServing(ctx, "")
	if err != nil {
		return m, err
	}
	defer d.stop()
	all, err := inTurn(ctx, s.rounds(5), pace(s, d.process, d.monitorAddress), pace(s, c.process, c.address))
	if err != nil {
		return m, err
	}
	p50 := func(p paced) float64 { return float64(quantile(durations(p.took), 0.5)) / 1e3 }
	each := func(p paced) float64 { return float64(p.each) / 1e3 }
	own, other := all[0], all[1]
	m.figures = []figure{
		ratio(ratios(own, other, p50), fmt.Sprintf("%s beside %s µs", report.Digits(medianOf(own, p50)), report.Digits(medianOf(other, p50)))),
		ratio(ratios(own, other, each), fmt.Sprintf("%s beside %s µs, landmarkd's own work at rest included", report.Digits(medianOf(own, each)), report.Digits(medianOf(other, each)))),
	}
	m.curves = []report.Series{curve("CHECK over UDP at 1,000/s", tookOf(own)), curve("the same in C", tookOf(other))}
	return m, nil
}

// pace returns a function that checks a server at the rate.
func pace(s *suite, p process, address string) func() (paced, error) {
	return func() (paced, error) {
		u, err := load.DialUDP(address, netip.Addr{}, checkRequest)
		if err != nil {
			return paced{}, err
		}
		defer u.Close()
		var v paced
		a, err := p.under(func() (int, time.Duration, error) {
			took, _, err := u.Pace(pacedRate, s.scaled(pacedTime))
			v.took = took
			return len(took), s.scaled(pacedTime), err
		})
		v.each = a.each
		return v, err
	}
}

func tookOf(all []paced) (took []time.Duration) {
	for _, p := range all {
		took = append(took, p.took...)
	}
	return took
}

// durations returns them as numbers.
func durations(all []time.Duration) (ns []int64) {
	for _, d := range all {
		ns = append(ns, int64(d))
	}
	return ns
}

// shares are the percentiles that are plotted, as parts of 1.
var shares = []float64{0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999}

// percentileTicks returns where the percentiles are on their axis: one of so many durations
// is longer.
func percentileTicks() (ticks []float64) {
	for _, share := range shares {
		ticks = append(ticks, 1/(1-share))
	}
	return ticks
}

func percentileLabels() (labels []string) {
	for _, share := range shares {
		labels = append(labels, "p"+report.Digits(100*share))
	}
	return labels
}

// curve returns the percentiles of the times, in µs, as far as there are enough times.
func curve(name string, took []time.Duration) report.Series {
	s := report.Series{Name: name}
	slices.Sort(took)
	for i, tick := range percentileTicks() {
		if len(took) >= int(tick) {
			s.Points = append(s.Points, report.Point{X: tick, Y: float64(quantile(durations(took), shares[i])) / 1e3})
		}
	}
	return s
}
