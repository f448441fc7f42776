package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/landmark-health/landmark/test/bench/load"
	"github.com/landmark-health/landmark/test/bench/report"
)

// grpcWatchRow changes a service that many watch over gRPC.
var grpcWatchRow = row{
	name: "grpc watch",
	lines: []report.Line{
		{What: "grpc.health.v1 Watch, 1,000 streams, against grpc-go's health.Server: from a change until the last one has it", Unit: "×", Goal: report.Goal{AtMost: 1}},
		{What: "the same, 10,000 streams, with GOMEMLIMIT=512MiB", Unit: "×", Goal: report.Goal{AtMost: 1}},
	},
	measure: measureGRPCWatch,
}

const (
	// watchChanges is how often the status changes.
	watchChanges = 50
	// watchGap is the time between two changes.
	watchGap = 50 * time.Millisecond
	// watchTimeout is how long a change may take.
	watchTimeout = 20 * time.Second
	// streamsOfClient is how many streams one connection has. Of these landmarkd allows
	// 500.
	streamsOfClient = 100
)

func measureGRPCWatch(ctx context.Context, s *suite) (m measured, err error) {
	own := report.Series{Name: "landmarkd, gRPC"}
	other := report.Series{Name: "grpc-go's health.Server"}
	for _, n := range watcherCounts {
		f, ownTook, otherTook := s.grpcWatch(ctx, s.size(n))
		if ownTook > 0 {
			own.Points = append(own.Points, report.Point{X: float64(n), Y: ownTook})
		}
		if otherTook > 0 {
			other.Points = append(other.Points, report.Point{X: float64(n), Y: otherTook})
		}
		if n >= 1000 {
			m.figures = append(m.figures, f)
		}
	}
	m.plots = []report.Plot{watcherPlot("watchers-grpc", "gRPC", own, other)}
	return m, nil
}

// watcherCounts are how many watchers there are.
var watcherCounts = []int{100, 1000, 10000}

func watcherPlot(name, protocol string, series ...report.Series) report.Plot {
	return &report.Lines{Name: name, Title: "From a change until the last of so many watchers has it, over " + protocol, X: "watchers", Y: "ms", Series: series}
}

// grpcWatch compares landmarkd with the health server, with n watchers. It also returns
// the medians in ms.
func (s *suite) grpcWatch(ctx context.Context, n int) (f figure, own, other float64) {
	f, own, other, err := s.tryGRPCWatch(ctx, n)
	if err != nil {
		return failed(err), own, other
	}
	return f, own, other
}

func (s *suite) tryGRPCWatch(ctx context.Context, n int) (f figure, own, other float64, err error) {
	watch := func(address string) (*load.Watchers, error) {
		return load.GRPC{Server: address, Message: healthRequest, Connections: (n + streamsOfClient - 1) / streamsOfClient}.Watch(n)
	}
	health, err := startSelf(healthMode)
	if err != nil {
		return f, 0, 0, err
	}
	defer health.stop()
	healthWatchers, err := watch(health.address)
	if err != nil {
		return f, 0, 0, fmt.Errorf("health.Server: %w", err)
	}
	defer healthWatchers.Close()
	change := func(w *load.Watchers, change func() error) func() (float64, error) {
		return func() (float64, error) {
			time.Sleep(watchGap)
			began := time.Now()
			if err := change(); err != nil {
				return 0, err
			}
			at, err := w.Next(watchTimeout)
			return at.Sub(began).Seconds() * 1e3, err
		}
	}
	rounds := s.rounds(watchChanges)
	changeHealth := change(healthWatchers, func() error { _, err := fmt.Fprintln(health.control); return err })

	d, err := newLandmarkd("")
	if err != nil {
		return f, 0, 0, err
	}
	if n > 1000 {
		d.environment = []string{"GOMEMLIMIT=512MiB"}
	}
	if err := d.start(s.landmarkd); err != nil {
		return f, 0, 0, err
	}
	defer d.stop()
	p, stop, err := d.startChanging(ctx)
	if err != nil {
		return f, 0, 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	watchers, err := watch(d.grpcAddress)
	if err != nil {
		// Then only the health server is measured.
		alone, err2 := inTurn(ctx, rounds, changeHealth)
		if err2 != nil {
			return f, 0, 0, err2
		}
		return f, 0, median(alone[0]), fmt.Errorf("landmarkd: %w; health.Server: %s ms", err, report.Digits(median(alone[0])))
	}
	defer watchers.Close()
	all, err := inTurn(ctx, rounds, change(watchers, p.flip), changeHealth)
	if err != nil {
		return f, 0, 0, err
	}
	own, other = median(all[0]), median(all[1])
	return ratio(eventRatios(all[0], all[1], func(v float64) float64 { return v }), fmt.Sprintf("%s beside %s ms", report.Digits(own), report.Digits(other))), own, other, nil
}
