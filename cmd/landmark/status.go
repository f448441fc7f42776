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
	purpose:   "tell how all services are, or one with its landmarks",
	prepare: func(flags *flag.FlagSet) action {
		asking := askingFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := someName(args)
			if err != nil {
				return err
			}
			services, err := asking.list(ctx, name)
			switch {
			case err != nil:
				return err
			case asking.format == asJSON:
				return statusJSON(o, services)
			case name == "":
				return statusTable(o, services)
			}
			return errors.Join(statusTable(o, services), landmarksTable(o, services))
		}
	},
}

// list asks for the service of that name, for all if it is empty.
func (a *asking) list(ctx context.Context, name string) ([]*statusv1.Service, error) {
	conn, client, err := a.connect()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := client.List(ctx, &statusv1.ListRequest{Service: name})
	if err != nil {
		return nil, conn.failure(ctx, err)
	}
	var services []*statusv1.Service
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return services, nil
		}
		if err != nil {
			return nil, conn.failure(ctx, err)
		}
		services = append(services, r.GetService())
	}
}

func statusJSON(o output, services []*statusv1.Service) error {
	document := struct {
		Services []json.RawMessage `json:"services"`
	}{Services: []json.RawMessage{}}
	for _, s := range services {
		m, err := message(s)
		if err != nil {
			return err
		}
		document.Services = append(document.Services, m)
	}
	return o.document(document)
}

func statusTable(o output, services []*statusv1.Service) error {
	if len(services) == 0 {
		_, err := fmt.Fprintln(o.out, "There is no service: no program has reported, and none is configured.")
		return err
	}
	t := heads("SERVICE", "STATUS", "CAUSE", "WEIGHT", "LIVENESS", "FOR", "FACTS", "REASON")
	for _, s := range services {
		readiness := s.GetReadiness()
		v := readiness.GetVerdict()
		t.add([]cell{
			{text: printable(s.GetName())},
			statusCell(v), causeCell(v), weightCell(v), statusCell(s.GetLiveness().GetVerdict()),
			{text: span(readiness.GetStood().AsDuration())},
			{text: span(readiness.GetFactsAge().AsDuration())},
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
	if _, err := fmt.Fprintln(o.out); err != nil {
		return err
	}
	return t.write(o)
}
