package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	// settleTime is the time between the last start and the measurement, for a workload
	// without changes.
	settleTime = 3 * time.Second
	// maxChanges limits how many changes are made to measure their latency. There are
	// fewer if they would take longer than the measurement of the CPU time.
	maxChanges = 200
	// servingTimeout is how long it may take until all services of a workload are
	// serving.
	servingTimeout = time.Minute
)

// measure starts the landmarkd at path and the workload, and returns what landmarkd
// costs over the given duration.
func measure(ctx context.Context, path string, w workload, duration time.Duration) (c cost, err error) {
	w, config := w.configure()
	d, err := startLandmarkd(path, config)
	if err != nil {
		return c, err
	}
	defer d.stop()
	conn, err := grpc.NewClient(d.grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return c, err
	}
	defer conn.Close()
	if w.services > 0 {
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
	}
	pages, err := openPages(ctx, d.httpAddress, w.pages)
	if err != nil {
		return c, err
	}
	defer pages.close()
	// The sessions begin with a handshake of some seconds.
	if !sleep.For(ctx, w.settleTime()) {
		return c, ctx.Err()
	}
	if w.scrapes {
		s := startScraper(ctx, d.httpAddress)
		defer func() { err = errors.Join(err, s.close()) }()
	}
	if c.cpu, err = d.cpuPercent(ctx, duration); err != nil {
		return c, err
	}
	if w.services > 0 && w.changes == 0 {
		if c.one, c.all, err = measureLatencies(ctx, d.agentSocket, conn, min(maxChanges, int(duration/meanGap))); err != nil {
			return c, err
		}
	}
	rss, err := d.rss()
	c.rss = float64(rss) / 1e6
	return c, errors.Join(err, pages.check())
}

// settleTime is the time between the last start and the measurement.
func (w workload) settleTime() time.Duration {
	if w.changes > 0 {
		return 12 * time.Second // see changesIn
	}
	return settleTime
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
