// Command bench measures what landmarkd costs: it builds landmarkd, runs workloads
// of programs that report to it, and prints a line for each workload, with the
// limits. It exits with 1 if a limit is exceeded.
//
//	go run ./test/bench [-for 60s] [-only PATTERN] [-landmarkd FILE]
//
// CPU time is that of landmarkd alone, in percent of one core, as the kernel counts
// it in nanoseconds. Other load on the machine hardly affects it, but does affect
// the latencies. A latency is measured from the call of a program, through its agent
// and landmarkd, to the message that a grpc.health.v1 Watch receives.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == workloadCommand {
		return runWorkload(ctx, args[1:])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	duration := flags.Duration("for", time.Minute, "how long to measure each workload, at least 1s")
	only := flags.String("only", "", "measure only the workloads that match this regular `expression`")
	path := flags.String("landmarkd", "", "measure the landmarkd in `FILE`, for instance an older one, instead of building one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *duration < time.Second {
		return fmt.Errorf("-for %v is too short: use at least 1s", *duration)
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if *path == "" {
		built, remove, err := buildLandmarkd(ctx)
		if err != nil {
			return err
		}
		defer remove()
		*path = built
	}
	return measureAll(ctx, os.Stdout, *path, *duration, wanted)
}

// row is one line of the table: a workload, and what landmarkd may cost with it.
type row struct {
	name     string
	workload workload
	limit    cost // 0 = no limit
	// base is a workload whose CPU time is measured in the same run and subtracted.
	base *workload
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

// rows are the workloads in the order of the table.
var rows = []row{
	{name: "no program", limit: cost{cpu: 0.1}},
	{
		name:     "1,000 services of 20 landmarks, 10 connections, reporting at once",
		workload: workload{services: 1000, landmarks: 20, connections: 10},
		limit:    cost{cpu: 5, one: latencies{median: 10 * time.Millisecond}},
	},
	{
		name:     "1,000 services of 20 landmarks, 10 connections, reporting staggered",
		workload: workload{services: 1000, landmarks: 20, connections: 10, staggered: true},
		limit:    cost{one: latencies{median: 10 * time.Millisecond}},
	},
	{
		name:     "1,000 services of 1 landmark, 1,000 agents",
		workload: workload{services: 1000, landmarks: 1},
		limit:    cost{cpu: 25, rss: 100, one: latencies{median: 10 * time.Millisecond}},
	},
	{
		name:     "1,000 services of 20 landmarks, 1,000 agents",
		workload: workload{services: 1000, landmarks: 20},
	},
	{
		name:     "64 BFD sessions at 1 s, without what their service costs",
		workload: workload{services: 1, landmarks: 1, peers: 64},
		base:     &workload{services: 1, landmarks: 1},
		limit:    cost{cpu: 0.5},
	},
	{
		name:     "64 open pages over 1,000 services of 20 landmarks of which 50 change each second, without what these cost",
		workload: workload{services: 1000, landmarks: 20, connections: 10, changes: 50, pages: 64},
		base:     &workload{services: 1000, landmarks: 20, connections: 10, changes: 50},
		limit:    cost{cpu: 10},
	},
	{
		name:     "a scrape a second of the metrics of 1,000 services of 20 landmarks, without what these cost",
		workload: workload{services: 1000, landmarks: 20, connections: 10, scrapes: true},
		base:     &workload{services: 1000, landmarks: 20, connections: 10},
		limit:    cost{cpu: 10}, // 100 ms for a scrape
	},
}

func measureAll(ctx context.Context, out io.Writer, path string, duration time.Duration, wanted *regexp.Regexp) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "landmarkd with\tCPU %\tlimit\tRSS MB\tlimit\tone's Watch p50\tp99\tlimit p50\tall's Watch p50\tp99\tall serving\tCPU s")
	exceeded := 0
	for _, r := range rows {
		if !wanted.MatchString(r.name) {
			continue
		}
		c, err := measure(ctx, path, r.workload, duration)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if r.base != nil {
			base, err := measure(ctx, path, *r.base, duration)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			c.cpu -= base.cpu
		}
		fmt.Fprintf(table, "%s\t%.3f\t%s\t%.1f\t%s\t%v\t%v\t%s\t%v\t%v\t%.2fs\t%.2f\n", r.name,
			c.cpu, formatLimit(r.limit.cpu), c.rss, formatLimit(r.limit.rss),
			c.one.median, c.one.p99, formatLimit(r.limit.one.median), c.all.median, c.all.p99,
			c.serving.Seconds(), c.servingCPU)
		if c.exceeds(r.limit) {
			exceeded++
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if wanted.MatchString(gateRow) {
		if err := measureGate(ctx, out, path); err != nil {
			return fmt.Errorf("%s: %w", gateRow, err)
		}
	}
	if exceeded > 0 {
		return fmt.Errorf("%d workloads exceed a limit", exceeded)
	}
	return nil
}

// formatLimit returns the limit as text, empty if there is none.
func formatLimit[T float64 | time.Duration](limit T) string {
	if limit == 0 {
		return ""
	}
	return fmt.Sprint(limit)
}

func (c cost) exceeds(limit cost) bool {
	return exceeds(c.cpu, limit.cpu) || exceeds(c.rss, limit.rss) || exceeds(c.one.median, limit.one.median)
}

// exceeds reports whether v exceeds the limit, if there is one.
func exceeds[T float64 | time.Duration](v, limit T) bool { return limit > 0 && v > limit }
