package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// statusCommand shows services.
var statusCommand = command{
	name:      "status",
	arguments: "[NAME]",
	purpose:   "show all services, or one with its landmarks and its checkers",
	prepare: func(flags *flag.FlagSet) action {
		client := statusFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := optionalName(args)
			if err != nil {
				return err
			}
			services, checkers, err := client.status(ctx, name)
			switch {
			case err != nil:
				return err
			case client.format == asJSON:
				return statusJSON(o, services, checkers)
			case name == "":
				return errors.Join(statusTable(o, services, gateProblem), otherCheckersTables(o, checkers))
			}
			return errors.Join(statusTable(o, services, gateNote), landmarksTable(o, services), textsTable(o, services), checkersTables(o, services))
		}
	},
}

// status fetches the service of that name. If the name is empty, it fetches all
// services, and the checkers that are not those of a single service.
func (c *statusClient) status(ctx context.Context, name string) (services []*statusv1.Service, checkers *statusv1.CheckersResponse, err error) {
	conn, client, err := c.connect()
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	services, err = listServices(ctx, client, name)
	if err == nil && name == "" {
		checkers, err = client.Checkers(ctx, &statusv1.CheckersRequest{})
	}
	if err != nil {
		return nil, nil, conn.explain(ctx, err)
	}
	return services, checkers, nil
}

// listServices fetches the service of that name, or all if it is empty.
func listServices(ctx context.Context, client statusv1.StatusServiceClient, name string) ([]*statusv1.Service, error) {
	stream, err := client.List(ctx, &statusv1.ListRequest{Service: name})
	if err != nil {
		return nil, err
	}
	var services []*statusv1.Service
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return services, nil
		}
		if err != nil {
			return nil, err
		}
		services = append(services, r.GetService())
	}
}

// statusJSON writes everything as one document. checkers may be nil.
func statusJSON(o output, services []*statusv1.Service, checkers *statusv1.CheckersResponse) error {
	document := struct {
		Services []json.RawMessage `json:"services"`
		Checkers json.RawMessage   `json:"checkers,omitempty"`
	}{Services: []json.RawMessage{}}
	for _, s := range services {
		m, err := message(s)
		if err != nil {
			return err
		}
		document.Services = append(document.Services, m)
	}
	if checkers != nil {
		m, err := message(checkers)
		if err != nil {
			return err
		}
		document.Checkers = m
	}
	return o.document(document)
}

// statusTable shows services, each with a note below it unless that is "".
func statusTable(o output, services []*statusv1.Service, note func(output, *statusv1.Service) string) error {
	if len(services) == 0 {
		_, err := fmt.Fprintln(o.out, "There is no service: no program has reported, and none is configured.")
		return err
	}
	t := terminal.NewTable("SERVICE", "STATUS", "CAUSE", "WEIGHT", "LIVENESS", "FOR", "FACTS", "CHECKED", "REASON")
	for _, s := range services {
		readiness := s.GetReadiness()
		v := readiness.GetVerdict()
		var notes []string
		if text := note(o, s); text != "" {
			notes = append(notes, text)
		}
		t.Add([]terminal.Cell{
			terminal.Text(terminal.Printable(s.GetName())),
			statusCell(v), causeCell(v), weightCell(v), statusCell(s.GetLiveness().GetVerdict()),
			terminal.Text(duration.Format(readiness.GetStatusAge().AsDuration())),
			terminal.Text(duration.Format(readiness.GetFactsAge().AsDuration())),
			checkedCell(s),
			terminal.Text(describe.ServiceReason(s)),
		}, notes...)
	}
	return o.table(t)
}

// textsTable shows what the processes of services say of themselves, if any does.
func textsTable(o output, services []*statusv1.Service) error {
	t := terminal.NewTable("INSTANCE", "SAYS")
	for _, s := range services {
		for _, text := range s.GetTexts() {
			t.Add([]terminal.Cell{terminal.Text(terminal.Printable(text.GetInstance())), terminal.Text(terminal.Printable(text.GetText()))})
		}
	}
	if t.Empty() {
		return nil
	}
	return o.tableBelow(t)
}

// landmarksTable shows the landmarks of services, below what was written of them.
func landmarksTable(o output, services []*statusv1.Service) error {
	t := terminal.NewTable("LANDMARK", "KIND", "STATE", "IMPACT", "FACT", "LIMIT")
	for _, s := range services {
		for _, l := range s.GetLandmarks() {
			t.Add([]terminal.Cell{
				terminal.Text(terminal.Printable(l.GetDeclared().GetName())),
				terminal.Text(describe.Kind(l)),
				stateCell(l),
				terminal.Text(describe.Impact(l)),
				terminal.Text(describe.Fact(l)),
				terminal.Text(describe.Limit(l)),
			})
		}
	}
	if t.Empty() {
		_, err := fmt.Fprintln(o.out, "\nIt has no landmarks.")
		return err
	}
	return o.tableBelow(t)
}
