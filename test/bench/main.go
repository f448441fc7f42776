// Command bench measures what landmarkd costs: it builds landmarkd, lets crowds
// of programs report to it, and prints a line for each crowd, with what may be
// spent. It exits with 1 if more was.
//
//	go run ./test/bench [-for 60s] [-only PATTERN] [-landmarkd FILE]
//
// Processor time is landmarkd's own, in percent of one core, as the kernel
// counts it to the nanosecond; what else the machine does hardly bears on it.
// It does bear on the latencies, which are those of the whole way: from a
// program's call, through its agent and landmarkd, to the message that a
// grpc.health.v1 Watch receives.
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
	if len(args) > 0 && args[0] == crowdCommand {
		return runCrowd(ctx, args[1:])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	length := flags.Duration("for", time.Minute, "how long each line is measured, at least 1s")
	only := flags.String("only", "", "measure only the lines that match this regular `expression`")
	path := flags.String("landmarkd", "", "measure the program `FILE`, for instance an older one, rather than one built now")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *length < time.Second {
		return fmt.Errorf("-for %v is too short to measure anything", *length)
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if *path == "" {
		built, remove, err := build(ctx)
		if err != nil {
			return err
		}
		defer remove()
		*path = built
	}
	return measureAll(ctx, os.Stdout, *path, *length, wanted)
}

// row is one line of the table: a crowd, and what landmarkd may spend on it.
type row struct {
	what  string
	crowd crowd
	most  spent // zero = not bounded
}

// spent is what landmarkd spent on a crowd.
type spent struct {
	cpu       float64       // percent of one core
	rss       float64       // resident, MB (10⁶ bytes)
	one       latencies     // of a change to the Watch of its service
	all       latencies     // of the same to the Watch of all services
	serving   time.Duration // from the first connection until all are told to be serving
	servingIn float64       // processor seconds for that
}

// rows are what is measured, and Landmark's own bounds for it.
var rows = []row{
	{what: "no program", most: spent{cpu: 0.1}},
	{
		what:  "1,000 services of 20 landmarks, 10 connections, reporting together",
		crowd: crowd{services: 1000, landmarks: 20, connections: 10},
		most:  spent{cpu: 5, one: latencies{median: 10 * time.Millisecond}},
	},
	{
		what:  "1,000 services of 20 landmarks, 10 connections, reporting by turns",
		crowd: crowd{services: 1000, landmarks: 20, connections: 10, byTurns: true},
		most:  spent{one: latencies{median: 10 * time.Millisecond}},
	},
	{
		what:  "1,000 services of 1 landmark, 1,000 agents",
		crowd: crowd{services: 1000, landmarks: 1},
		most:  spent{cpu: 25, rss: 100, one: latencies{median: 10 * time.Millisecond}},
	},
	{
		what:  "1,000 services of 20 landmarks, 1,000 agents",
		crowd: crowd{services: 1000, landmarks: 20},
	},
}

func measureAll(ctx context.Context, w io.Writer, path string, length time.Duration, wanted *regexp.Regexp) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "landmarkd with\tCPU %\tmost\tRSS MB\tmost\tto its Watch p50\tp99\tmost p50\tto all's p50\tp99\tall serving\tCPU s")
	exceeded := 0
	for _, r := range rows {
		if !wanted.MatchString(r.what) {
			continue
		}
		s, err := measure(ctx, path, r.crowd, length)
		if err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		fmt.Fprintf(table, "%s\t%.3f\t%s\t%.1f\t%s\t%v\t%v\t%s\t%v\t%v\t%.2fs\t%.2f\n", r.what,
			s.cpu, bound(r.most.cpu), s.rss, bound(r.most.rss),
			s.one.median, s.one.p99, bound(r.most.one.median), s.all.median, s.all.p99,
			s.serving.Seconds(), s.servingIn)
		if s.exceeds(r.most) {
			exceeded++
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if exceeded > 0 {
		return fmt.Errorf("%d lines are over what they may be", exceeded)
	}
	return nil
}

// bound shows what is allowed, nothing where anything is.
func bound[T float64 | time.Duration](most T) string {
	if most == 0 {
		return ""
	}
	return fmt.Sprint(most)
}

func (s spent) exceeds(most spent) bool {
	return over(s.cpu, most.cpu) || over(s.rss, most.rss) || over(s.one.median, most.one.median)
}

func over[T float64 | time.Duration](is, most T) bool { return most > 0 && is > most }
