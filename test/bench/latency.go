package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/internal/sleep"
)

// latencies are how long it takes until a Watch receives a change.
type latencies struct{ median, p99 time.Duration }

const (
	// meanGap is the mean time between two changes. The real time is random, from half
	// of it to one and a half, so that the changes do not synchronize with the reports.
	meanGap = 40 * time.Millisecond
)

// measureLatencies runs another program that changes its Condition so many times. It
// returns the latencies of the Watch of its service, and of the Watch of all services
// together. All other services must be serving.
func measureLatencies(ctx context.Context, socket string, conn *grpc.ClientConn, changes int) (one, all latencies, err error) {
	const service = "changing"
	ctx, cancel := context.WithCancel(ctx)
	p, err := newProgram(socket, service, 20)
	if err != nil {
		cancel()
		return one, all, err
	}
	ended := make(chan error)
	go func() { ended <- p.run(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-ended)
	}()
	client := healthpb.NewHealthClient(conn)
	if err := awaitServing(ctx, client, service); err != nil {
		return one, all, err
	}
	oneUpdates, err := watch(ctx, client, service)
	if err != nil {
		return one, all, err
	}
	allUpdates, err := watch(ctx, client, "")
	if err != nil {
		return one, all, err
	}
	var oneTook, allTook []time.Duration
	for i := range changes {
		if !sleep.For(ctx, meanGap/2+rand.N(meanGap)) {
			return one, all, ctx.Err()
		}
		healthy := i%2 == 1
		changed := time.Now()
		p.condition.Set(healthy, "set by the measurement")
		for _, w := range []struct {
			updates chan update
			took    *[]time.Duration
		}{{oneUpdates, &oneTook}, {allUpdates, &allTook}} {
			at, err := awaitUpdate(ctx, w.updates, healthy)
			if err != nil {
				return one, all, err
			}
			*w.took = append(*w.took, at.Sub(changed))
		}
	}
	return summarize(oneTook), summarize(allTook), nil
}

// update is a message of a Watch.
type update struct {
	status healthpb.HealthCheckResponse_ServingStatus
	at     time.Time // when it was received
}

// watch returns the updates of a Watch of the service, after the first SERVING.
func watch(ctx context.Context, client healthpb.HealthClient, service string) (chan update, error) {
	stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		return nil, err
	}
	updates := make(chan update)
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				return // ctx is done
			}
			select {
			case updates <- update{r.Status, time.Now()}:
			case <-ctx.Done():
				return
			}
		}
	}()
	_, err = awaitUpdate(ctx, updates, true)
	return updates, err
}

// awaitUpdate returns the time of the next update that is serving, or that is not.
func awaitUpdate(ctx context.Context, updates <-chan update, serving bool) (time.Time, error) {
	timeout := time.NewTimer(changeTimeout)
	defer timeout.Stop()
	for {
		select {
		case u := <-updates:
			if (u.status == healthpb.HealthCheckResponse_SERVING) == serving {
				return u.at, nil
			}
		case <-timeout.C:
			return time.Time{}, fmt.Errorf("the Watch received no change within %v", changeTimeout)
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

func summarize(took []time.Duration) latencies {
	slices.Sort(took)
	return latencies{
		median: took[len(took)/2].Round(10 * time.Microsecond),
		p99:    took[len(took)*99/100].Round(10 * time.Microsecond),
	}
}
