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
)

// latencies are how long changes took to be told.
type latencies struct{ median, p99 time.Duration }

// gap is the mean time between two changes, which chance makes half as long or
// half as long again, lest they keep step with the reports.
const gap = 40 * time.Millisecond

// changeWithin is how long one change may take to be told.
const changeWithin = 5 * time.Second

// measureLatencies has one more program change its Condition, and returns how
// long each of so many took to the Watch of its service and to that of all
// services together, of which no other is ever down.
func measureLatencies(ctx context.Context, socket string, conn *grpc.ClientConn, changes int) (one, all latencies, err error) {
	const service = "changing"
	ctx, cancel := context.WithCancel(ctx)
	p, err := newProgram(socket, service, 20)
	if err != nil {
		cancel()
		return one, all, err
	}
	worked := make(chan error)
	go func() { worked <- p.work(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-worked)
	}()
	client := healthpb.NewHealthClient(conn)
	if err := awaitServing(ctx, client, service); err != nil {
		return one, all, err
	}
	toOne, err := watch(ctx, client, service)
	if err != nil {
		return one, all, err
	}
	toAll, err := watch(ctx, client, "")
	if err != nil {
		return one, all, err
	}
	var ones, alls []time.Duration
	for i := range changes {
		if err := sleep(ctx, gap/2+rand.N(gap)); err != nil {
			return one, all, err
		}
		up := i%2 == 1
		changed := time.Now()
		p.up.Set(up, "as the measurement has it")
		for _, w := range []struct {
			told chan telling
			took *[]time.Duration
		}{{toOne, &ones}, {toAll, &alls}} {
			at, err := await(ctx, w.told, up)
			if err != nil {
				return one, all, err
			}
			*w.took = append(*w.took, at.Sub(changed))
		}
	}
	return summarize(ones), summarize(alls), nil
}

// telling is a message of a Watch, and when it came.
type telling struct {
	status healthpb.HealthCheckResponse_ServingStatus
	at     time.Time
}

// watch returns what is told of the service, from SERVING on.
func watch(ctx context.Context, client healthpb.HealthClient, service string) (chan telling, error) {
	stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		return nil, err
	}
	told := make(chan telling)
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				return // with ctx
			}
			select {
			case told <- telling{r.Status, time.Now()}:
			case <-ctx.Done():
				return
			}
		}
	}()
	_, err = await(ctx, told, true)
	return told, err
}

// await returns when it was told that the service is serving, or is not.
func await(ctx context.Context, told <-chan telling, serving bool) (time.Time, error) {
	late := time.NewTimer(changeWithin)
	defer late.Stop()
	for {
		select {
		case t := <-told:
			if (t.status == healthpb.HealthCheckResponse_SERVING) == serving {
				return t.at, nil
			}
		case <-late.C:
			return time.Time{}, fmt.Errorf("a change was not told within %v", changeWithin)
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
