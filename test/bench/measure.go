package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	// settle is what passes between the last start and the measurement.
	settle = 3 * time.Second
	// maxChanges is how many changes' latencies are taken at most, and fewer if
	// they would take longer than the measurement of the processor time.
	maxChanges = 200
	// servingWithin is how long a crowd may take to be told to be serving.
	servingWithin = time.Minute
)

// measure starts a landmarkd and the crowd, and returns what it spent in the
// given time.
func measure(ctx context.Context, path string, c crowd, length time.Duration) (s spent, err error) {
	d, err := start(path)
	if err != nil {
		return s, err
	}
	defer d.stop()
	conn, err := grpc.NewClient(d.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return s, err
	}
	defer conn.Close()
	if c.services > 0 {
		begun := time.Now()
		stop, err := c.start(d.agents)
		if err != nil {
			return s, err
		}
		defer stop()
		if err := c.awaitServing(ctx, healthpb.NewHealthClient(conn)); err != nil {
			return s, err
		}
		used, err := d.cpu()
		if err != nil {
			return s, err
		}
		s.serving, s.servingIn = time.Since(begun), used.Seconds()
	}
	if err := sleep(ctx, settle); err != nil {
		return s, err
	}
	if s.cpu, err = d.load(ctx, length); err != nil {
		return s, err
	}
	if c.services > 0 {
		if s.one, s.all, err = measureLatencies(ctx, d.agents, conn, min(maxChanges, int(length/gap))); err != nil {
			return s, err
		}
	}
	rss, err := d.rss()
	s.rss = float64(rss) / 1e6
	return s, err
}

// load returns what landmarkd uses of one core in the given time, in percent.
func (d *landmarkd) load(ctx context.Context, length time.Duration) (float64, error) {
	before, err := d.cpu()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := sleep(ctx, length); err != nil {
		return 0, err
	}
	after, err := d.cpu()
	return 100 * float64(after-before) / float64(time.Since(begun)), err
}

// awaitServing returns when every service of the crowd is told to be serving.
func (c crowd) awaitServing(ctx context.Context, client healthpb.HealthClient) error {
	ctx, cancel := context.WithTimeout(ctx, servingWithin)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(50)
	for i := range c.services {
		group.Go(func() error { return awaitServing(ctx, client, serviceName(i)) })
	}
	return group.Wait()
}

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
			return fmt.Errorf("%s was not told to be serving: %w", service, err)
		}
		if r.Status == healthpb.HealthCheckResponse_SERVING {
			return nil
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
