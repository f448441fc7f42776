package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// historyCommand shows the past of a service.
var historyCommand = command{
	name:      "history",
	arguments: "NAME",
	purpose:   "show the last changes of a service and their reasons, the latest last",
	prepare: func(flags *flag.FlagSet) action {
		client, admin := statusFlags(flags), adminFlags(flags)
		withEvidence := flags.Bool("evidence", false, "show instead what its processes did when their work began to fail: stacks, and what the kernel says of their threads; it is read from -admin-socket, by those only who may drain the service")
		return func(ctx context.Context, args []string, o output) error {
			name, err := requiredName(args)
			if err != nil {
				return err
			}
			if *withEvidence {
				all, err := admin.evidence(ctx, name)
				if err != nil {
					return err
				}
				return showEvidence(o, all, client.format, time.Now())
			}
			h, err := client.history(ctx, name)
			if err != nil {
				return err
			}
			if client.format == asTable {
				return historyTables(o, h, time.Now())
			}
			m, err := message(h)
			if err != nil {
				return err
			}
			return o.document(m)
		}
	},
}

// history fetches the history of the service.
func (c *statusClient) history(ctx context.Context, name string) (*statusv1.HistoryResponse, error) {
	conn, client, err := c.connect()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	h, err := client.History(ctx, &statusv1.HistoryRequest{Service: name})
	if err != nil {
		return nil, conn.explain(ctx, err)
	}
	return h, nil
}

// historyTables shows the changes that landmarkd has seen, below those that earlier ones
// have.
func historyTables(o output, h *statusv1.HistoryResponse, now time.Time) error {
	if len(h.GetEarlier()) == 0 {
		return historyTable(o, h.GetChanges(), now)
	}
	if _, err := fmt.Fprintln(o.out, "Before landmarkd was restarted, by its journal:"); err != nil {
		return err
	}
	if err := changesTable(o, h.GetEarlier(), now, "unknown"); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(o.out, "\nSince then:"); err != nil {
		return err
	}
	return historyTable(o, h.GetChanges(), now)
}

// historyTable shows the changes, with times in the zone of now. How long each state
// lasted is calculated from ages, because times of day jump when a clock is set.
func historyTable(o output, changes []*statusv1.Change, now time.Time) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(o.out, "Nothing has changed since landmarkd started.")
		return err
	}
	return changesTable(o, changes, now, duration.Format(ageOf(changes[len(changes)-1], now))+" so far")
}

// changesTable shows the changes. last says for how long the last state lasted.
func changesTable(o output, changes []*statusv1.Change, now time.Time, last string) error {
	t := terminal.NewTable("SINCE", "STATUS", "CAUSE", "WEIGHT", "LIVENESS", "FOR", "REASON")
	for i, c := range changes {
		lasted := last
		if i+1 < len(changes) {
			lasted = duration.Format(ageOf(c, now) - ageOf(changes[i+1], now))
		}
		readiness, liveness := c.GetReadiness(), c.GetLiveness()
		t.Add([]terminal.Cell{
			terminal.Text(terminal.Clock(c.GetTime().AsTime(), now)),
			statusCell(readiness), causeCell(readiness), weightCell(readiness), statusCell(liveness),
			terminal.Text(lasted),
			terminal.Text(describe.Reason(readiness, liveness)),
		}, unhealthy(o, c)...)
	}
	return o.table(t)
}

// ageOf returns how long ago the change was. Early landmarkds send only its time of day.
func ageOf(c *statusv1.Change, now time.Time) time.Duration {
	if c.GetAge() == nil {
		return now.Sub(c.GetTime().AsTime())
	}
	return c.GetAge().AsDuration()
}

// unhealthy describes the landmarks that were not healthy, if the service was not ready
// or not live.
func unhealthy(o output, c *statusv1.Change) (lines []string) {
	const serving = statusv1.Status_STATUS_SERVING
	if c.GetReadiness().GetStatus() == serving && c.GetLiveness().GetStatus() == serving {
		return nil
	}
	for _, l := range c.GetLandmarks() {
		state := stateCell(l)
		line := fmt.Sprintf("%s %s (%s, %s): %s", o.Paint(state.Colour, state.Text),
			terminal.Printable(l.GetDeclared().GetName()), describe.Kind(l), describe.Impact(l), describe.Fact(l))
		if limit := describe.Limit(l); limit != "" {
			line += ", " + limit
		}
		lines = append(lines, line)
	}
	return lines
}
