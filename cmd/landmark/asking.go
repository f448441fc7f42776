package main

import (
	"flag"
	"net"
	"strconv"

	"github.com/landmark-health/landmark/internal/contract"
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
	flags.StringVar(&a.address, "addr", net.JoinHostPort("127.0.0.1", strconv.Itoa(contract.GRPCPort)), "ask landmarkd at `HOST:PORT` or unix:PATH, which is its -grpc")
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
