package main

import (
	"bufio"
	"context"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const healthMode = "health"

// runHealth is grpc-go's own health server. Each line of its standard input changes the
// status of the service.
func runHealth(context.Context, []string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server, status := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(server, status)
	status.SetServingStatus(checked, healthpb.HealthCheckResponse_SERVING)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for serving := false; lines.Scan(); serving = !serving {
			to := healthpb.HealthCheckResponse_NOT_SERVING
			if serving {
				to = healthpb.HealthCheckResponse_SERVING
			}
			status.SetServingStatus(checked, to)
		}
	}()
	if err := printPort(l.Addr()); err != nil {
		return err
	}
	return server.Serve(l)
}
