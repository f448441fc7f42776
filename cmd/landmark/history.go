package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// historyCommand tells what a service was.
var historyCommand = command{
	name:      "history",
	arguments: "NAME",
	purpose:   "tell the last changes of a service, the latest last, and why they were",
	prepare: func(flags *flag.FlagSet) action {
		asking := askingFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := oneName(args)
			if err != nil {
				return err
			}
			h, err := asking.history(ctx, name)
			if err != nil {
				return err
			}
			if asking.format == asTable {
				return historyTable(o, h.GetChanges(), time.Now())
			}
			m, err := message(h)
			if err != nil {
				return err
			}
			return o.document(m)
		}
	},
}

// history asks for the history of the service.
func (a *asking) history(ctx context.Context, name string) (*statusv1.HistoryResponse, error) {
	conn, client, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h, err := client.History(ctx, &statusv1.HistoryRequest{Service: name})
	if err != nil {
		return nil, conn.failure(ctx, err)
	}
	return h, nil
}

// historyTable tells the changes in the zone of now. How long each stood comes
// from their ages: times of day jump when a clock is set.
func historyTable(o output, changes []*statusv1.Change, now time.Time) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(o.out, "Nothing has changed since landmarkd started.")
		return err
	}
	t := heads("SINCE", "STATUS", "CAUSE", "WEIGHT", "LIVENESS", "FOR", "REASON")
	for i, c := range changes {
		stood := span(ageOf(c, now)) + " so far"
		if i+1 < len(changes) {
			stood = span(ageOf(c, now) - ageOf(changes[i+1], now))
		}
		readiness, liveness := c.GetReadiness(), c.GetLiveness()
		t.add([]cell{
			{text: clock(c.GetTime().AsTime(), now)},
			statusCell(readiness), causeCell(readiness), weightCell(readiness), statusCell(liveness),
			{text: stood},
			{text: reason(readiness, liveness)},
		}, unwell(o, c)...)
	}
	return t.write(o)
}

// ageOf is how long ago the change was. A landmarkd of before ages were sent
// gives its time of day alone.
func ageOf(c *statusv1.Change, now time.Time) time.Duration {
	if c.GetAge() == nil {
		return now.Sub(c.GetTime().AsTime())
	}
	return c.GetAge().AsDuration()
}

// unwell tells, of a service that was not ready or not live, the landmarks that
// were not well.
func unwell(o output, c *statusv1.Change) (lines []string) {
	const serving = statusv1.Status_STATUS_SERVING
	if c.GetReadiness().GetStatus() == serving && c.GetLiveness().GetStatus() == serving {
		return nil
	}
	for _, l := range c.GetLandmarks() {
		state := stateCell(l)
		line := fmt.Sprintf("%s %s (%s, %s): %s", o.paint(state.colour, state.text),
			printable(l.GetDeclared().GetName()), kindOf(l), impactOf(l), standOf(l))
		if limit := limitOf(l); limit != "" {
			line += ", " + limit
		}
		lines = append(lines, line)
	}
	return lines
}
