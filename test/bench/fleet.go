package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/test/bench/report"
)

const (
	// settleTime is the time between the last start and the measurement, for a workload
	// without changes.
	settleTime = 3 * time.Second
	// fleetTime is how long the cost of a workload is measured.
	fleetTime = 6 * time.Second
	// maxChanges limits how many changes are made to measure their latency.
	maxChanges = 100
	// servingTimeout is how long it may take until all services of a workload are
	// serving.
	servingTimeout = time.Minute
)

// fleetRow is what landmarkd costs with many services, agents and landmarks.
var fleetRow = row{
	name: "fleet",
	lines: []report.Line{
		{What: "landmarkd, 1,000 services of 20 landmarks over ten connections: processor time", Unit: "%", Goal: report.Goal{AtMost: 4}},
		{What: "the same: from a change in one of them to the message of its gRPC Watch, p50", Unit: "ms", Goal: report.Goal{AtMost: 10}},
		{What: "landmarkd, 1,000 agents, each with a connection and a service: processor time", Unit: "%", Goal: report.Goal{AtMost: 8}},
		{What: "the same: resident memory", Unit: "MB", Goal: report.Goal{AtMost: 80}},
		{What: "the same: from a change in one of them to the message of its gRPC Watch, p50", Unit: "ms", Goal: report.Goal{AtMost: 10}},
	},
	measure: measureFleet,
}

func measureFleet(ctx context.Context, s *suite) (m measured, err error) {
	grow := func(name string, counts []int, of func(n int) workload) (last cost, err error) {
		cpu, rss := report.Series{Name: name}, report.Series{Name: name}
		if s.short {
			counts = counts[len(counts)-1:]
		}
		for _, n := range counts {
			if last, err = s.cost(ctx, of(s.size(n)), n == counts[len(counts)-1]); err != nil {
				return last, fmt.Errorf("%d %s: %w", n, name, err)
			}
			cpu.Points = append(cpu.Points, report.Point{X: float64(n), Y: max(last.cpu, 0.001)})
			rss.Points = append(rss.Points, report.Point{X: float64(n), Y: last.rss})
		}
		if m.plots == nil {
			m.plots = []report.Plot{
				&report.Lines{Name: "processor", Title: "Processor time of landmarkd, nothing changing, no checker", X: "how many", Y: "% of a core"},
				&report.Lines{Name: "memory", Title: "Resident memory of landmarkd", X: "how many", Y: "MB"},
			}
		}
		for i, series := range []report.Series{cpu, rss} {
			plot := m.plots[i].(*report.Lines)
			plot.Series = append(plot.Series, series)
		}
		return last, nil
	}
	services, err := grow("services of 20 landmarks over ten connections", []int{10, 100, 1000},
		func(n int) workload { return workload{services: n, landmarks: 20, connections: min(n, 10)} })
	if err != nil {
		return m, err
	}
	agents, err := grow("agents with a service of one landmark", []int{1, 10, 100, 1000},
		func(n int) workload { return workload{services: n, landmarks: 1} })
	if err != nil {
		return m, err
	}
	if _, err := grow("landmarks of one service", []int{1, 10, 100, 1000},
		func(n int) workload { return workload{services: 1, landmarks: n, connections: 1} }); err != nil {
		return m, err
	}
	latency := func(c cost) figure {
		return amount(float64(c.one.median)/1e6, fmt.Sprintf("p99 %v; to the Watch of all services p50 %v, p99 %v", c.one.p99, c.all.median, c.all.p99))
	}
	m.figures = []figure{
		amount(services.cpu, services.startText()), latency(services),
		amount(agents.cpu, agents.startText()), amount(agents.rss, ""), latency(agents),
	}
	return m, nil
}

// cost is what landmarkd costs with a workload.
type cost struct {
	cpu        float64       // percent of one core
	rss        float64       // resident memory, MB (10⁶ bytes)
	one        latencies     // until the Watch of a service receives its change
	all        latencies     // until the Watch of all services receives it
	serving    time.Duration // from the first connection until all services are serving
	servingCPU float64       // CPU seconds for that
}

func (c cost) startText() string {
	return fmt.Sprintf("all serving in %.2f s, with %.2f s of processor time", c.serving.Seconds(), c.servingCPU)
}

// cost starts landmarkd and the workload, and returns what landmarkd costs. The latencies
// are measured on demand.
func (s *suite) cost(ctx context.Context, w workload, withLatency bool) (c cost, err error) {
	w, config := w.configure()
	d, err := s.startLandmarkd(config)
	if err != nil {
		return c, err
	}
	defer d.stop()
	conn, err := grpc.NewClient(d.grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return c, err
	}
	defer conn.Close()
	start := time.Now()
	stop, err := w.start(d.agentSocket)
	if err != nil {
		return c, err
	}
	defer stop()
	if err := w.awaitServing(ctx, healthpb.NewHealthClient(conn)); err != nil {
		return c, err
	}
	used, err := d.cpuTime()
	if err != nil {
		return c, err
	}
	c.serving, c.servingCPU = time.Since(start), used.Seconds()
	pages, err := openPages(ctx, d.httpAddress, w.pages)
	if err != nil {
		return c, err
	}
	defer pages.close()
	// BFD sessions begin with a handshake of some seconds.
	settle := s.scaled(settleTime)
	if w.changes > 0 {
		settle = changesFrom + s.scaled(2*time.Second)
	}
	if !sleep.For(ctx, settle) {
		return c, ctx.Err()
	}
	if w.scrapes {
		scraper := startScraper(ctx, d.httpAddress)
		defer func() { err = errors.Join(err, scraper.close()) }()
	}
	duration := s.scaled(fleetTime)
	if s.short && (w.changes > 0 || w.scrapes) {
		duration = 2 * time.Second // for one change or scrape at least
	}
	rates, err := over(ctx, duration, d.process)
	if err != nil {
		return c, err
	}
	c.cpu = rates[0].percent
	if withLatency {
		if c.one, c.all, err = measureLatencies(ctx, d.agentSocket, conn, max(2, s.size(maxChanges))); err != nil {
			return c, err
		}
	}
	c.rss, err = d.rss()
	return c, errors.Join(err, pages.awaitChanges(ctx))
}

// awaitServing waits until every service of the workload is serving.
func (w workload) awaitServing(ctx context.Context, client healthpb.HealthClient) error {
	ctx, cancel := context.WithTimeout(ctx, servingTimeout)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(50)
	for i := range w.services {
		group.Go(func() error { return awaitServing(ctx, client, serviceName(i)) })
	}
	return group.Wait()
}

// awaitServing waits until the service is serving.
func awaitServing(ctx context.Context, client healthpb.HealthClient, service string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch, err := client.Watch(ctx, &healthpb.HealthCheckRequest{Service: service}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	for {
		r, err := watch.Recv()
		if err != nil {
			return fmt.Errorf("waiting until %s is serving: %w", service, err)
		}
		if r.Status == healthpb.HealthCheckResponse_SERVING {
			return nil
		}
	}
}
