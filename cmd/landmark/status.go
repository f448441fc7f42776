package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// statusCommand tells how services are.
var statusCommand = command{
	name:      "status",
	arguments: "[NAME]",
	purpose:   "tell how all services are, or one with its landmarks and who asks about it",
	prepare: func(flags *flag.FlagSet) action {
		asking := askingFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := someName(args)
			if err != nil {
				return err
			}
			services, checkers, err := asking.status(ctx, name)
			switch {
			case err != nil:
				return err
			case asking.format == asJSON:
				return statusJSON(o, services, checkers)
			case name == "":
				return errors.Join(statusTable(o, services), otherCheckersTable(o, checkers))
			}
			return errors.Join(statusTable(o, services), landmarksTable(o, services), checkersTable(o, services))
		}
	},
}

// status asks for the service of that name; for all if it is empty, and then
// also for those who ask about no one of them.
func (a *asking) status(ctx context.Context, name string) (services []*statusv1.Service, checkers *statusv1.CheckersResponse, err error) {
	conn, client, err := a.connect()
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	services, err = listServices(ctx, client, name)
	if err == nil && name == "" {
		checkers, err = client.Checkers(ctx, &statusv1.CheckersRequest{})
	}
	if err != nil {
		return nil, nil, conn.failure(ctx, err)
	}
	return services, checkers, nil
}

// listServices asks for the service of that name, for all if it is empty.
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

// statusJSON tells all of it; checkers may be nil.
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

func statusTable(o output, services []*statusv1.Service) error {
	if len(services) == 0 {
		_, err := fmt.Fprintln(o.out, "There is no service: no program has reported, and none is configured.")
		return err
	}
	t := heads("SERVICE", "STATUS", "CAUSE", "WEIGHT", "LIVENESS", "FOR", "FACTS", "ASKED", "REASON")
	for _, s := range services {
		readiness := s.GetReadiness()
		v := readiness.GetVerdict()
		t.add([]cell{
			{text: printable(s.GetName())},
			statusCell(v), causeCell(v), weightCell(v), statusCell(s.GetLiveness().GetVerdict()),
			{text: span(readiness.GetStood().AsDuration())},
			{text: span(readiness.GetFactsAge().AsDuration())},
			askedCell(s.GetCheckers()),
			{text: reasonOf(s)},
		})
	}
	return t.write(o)
}

// landmarksTable tells the landmarks of services, beneath what was told of them.
func landmarksTable(o output, services []*statusv1.Service) error {
	t := heads("LANDMARK", "KIND", "STATE", "IMPACT", "STANDS", "LIMIT")
	for _, s := range services {
		for _, l := range s.GetLandmarks() {
			t.add([]cell{
				{text: printable(l.GetDeclared().GetName())},
				{text: kindOf(l)},
				stateCell(l),
				{text: impactOf(l)},
				{text: standOf(l)},
				{text: limitOf(l)},
			})
		}
	}
	if len(t.rows) == 1 {
		_, err := fmt.Fprintln(o.out, "\nIt has no landmarks.")
		return err
	}
	return t.writeBeneath(o)
}
