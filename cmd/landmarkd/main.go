// Command landmarkd is the sidecar: agents in programs report to it over a
// Unix socket, and it tells load balancers the truth about them.
//
// It runs with no flags at all and until SIGTERM or SIGINT. Exit codes: 0
// stopped by a signal, 1 it could not start or had to stop, 2 bad arguments.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/sidecar"
)

// version is stamped by the linker.
var version = "devel"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	config, showVersion, err := parse(args, stdout)
	switch {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "landmarkd: %v\n", err)
		return 2
	case showVersion:
		fmt.Fprintf(stdout, "landmarkd %s\n", version)
		return 0
	}
	config.Logger = slog.New(slog.NewTextHandler(stderr, nil))

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	s, err := sidecar.New(config)
	if err == nil {
		err = s.Run(ctx)
	}
	if err != nil {
		fmt.Fprintf(stderr, "landmarkd: %v\n", err)
		return 1
	}
	return 0
}

// parse reads the command line. The error is one line.
func parse(args []string, help io.Writer) (c sidecar.Config, showVersion bool, err error) {
	c = sidecar.DefaultConfig()
	flags := flag.NewFlagSet("landmarkd", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.AgentSocket, "agent-socket", c.AgentSocket, "Unix socket that agents report to; \"\" = off")
	flags.StringVar(&c.Monitor, "monitor", c.Monitor, "HOST:PORT of the monitoring protocol, UDP and TCP; \"\" = off")
	flags.StringVar(&c.GRPC, "grpc", c.GRPC, "HOST:PORT or unix:PATH of grpc.health.v1; \"\" = off")
	keys := flags.String("monitor-keys", "", "file of NUMBER:HEX lines; monitoring requests must be signed with one of these keys")
	flags.BoolVar(&showVersion, "version", false, "print the version and exit")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		fmt.Fprintln(help, "usage: landmarkd [flags]")
		flags.SetOutput(help)
		flags.PrintDefaults()
		return c, false, err
	case err != nil:
		return c, false, fmt.Errorf("%w; landmarkd -help lists the flags", err)
	case flags.NArg() > 0:
		return c, false, fmt.Errorf("unexpected argument %q; landmarkd takes flags alone, and -help lists them", flags.Arg(0))
	}
	if *keys != "" {
		c.MonitorKeys, err = lmp.ReadKeys(*keys)
	}
	return c, showVersion, err
}
