package main

import (
	"flag"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// asking is the flags of a command that asks.
type asking struct {
	address string
	format  format
}

// askingFlags declares them.
func askingFlags(flags *flag.FlagSet) *asking {
	a := &asking{format: asTable}
	flags.StringVar(&a.address, "addr", "127.0.0.1:19534", "ask landmarkd at `HOST:PORT` or unix:PATH, which is its -grpc")
	flags.Var(&a.format, "o", "tell it as a `FORMAT`: table or json")
	return a
}

// connect returns a connection, and a client of its status service.
func (a *asking) connect() (*connection, statusv1.StatusServiceClient, error) {
	c, err := connect(a.address, "addr")
	if err != nil {
		return nil, nil, err
	}
	return c, statusv1.NewStatusServiceClient(c), nil
}
