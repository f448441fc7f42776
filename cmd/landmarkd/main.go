// Command landmarkd is the sidecar: agents in programs report to it over a
// Unix socket, and it tells load balancers the truth about them.
//
// It runs with no flags at all and until SIGTERM or SIGINT. SIGHUP makes it
// read its configuration again; one that is wrong is logged, and changes
// nothing. Exit codes: 0 stopped by a signal, or -check-config found nothing
// wrong; 1 it could not start or had to stop; 2 bad arguments, or a bad
// configuration.
package main

import (
	"context"
	"errors"
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
	config, only, err := parse(args, stdout)
	switch {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "landmarkd: %v\n", err)
		return 2
	case only.version:
		fmt.Fprintf(stdout, "landmarkd %s\n", version)
		return 0
	}
	if config.File != "" {
		if err := sidecar.CheckFile(config.File); err != nil {
			fmt.Fprintf(stderr, "landmarkd: %v\n", err)
			return 2
		}
	}
	if only.check {
		return 0
	}
	return serve(config, stderr)
}

// serve runs the sidecar until a signal ends it, and returns the exit code.
func serve(config sidecar.Config, stderr io.Writer) int {
	config.Logger = slog.New(slog.NewTextHandler(stderr, nil))

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hangup := make(chan os.Signal, 1) // from now on, lest one that comes early end the program
	signal.Notify(hangup, syscall.SIGHUP)
	s, err := sidecar.New(config)
	if err == nil {
		go reload(s, hangup, config.Logger)
		err = s.Run(ctx)
	}
	if err != nil {
		fmt.Fprintf(stderr, "landmarkd: %v\n", err)
		return 1
	}
	return 0
}

// reload has the configuration read again at each hangup.
func reload(s *sidecar.Sidecar, hangup <-chan os.Signal, logger *slog.Logger) {
	for range hangup {
		if err := s.Reload(); err != nil {
			logger.Error("the new configuration is wrong, so the old one stays", "err", err)
			continue
		}
		logger.Info("the configuration was read again")
	}
}

// only is what to do instead of serving.
type only struct{ version, check bool }

// parse reads the command line. The error is one line.
func parse(args []string, help io.Writer) (c sidecar.Config, o only, err error) {
	c = sidecar.DefaultConfig()
	flags := flag.NewFlagSet("landmarkd", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.AgentSocket, "agent-socket", c.AgentSocket, "Unix socket that agents report to; \"\" = off")
	flags.StringVar(&c.Monitor, "monitor", c.Monitor, "HOST:PORT of the monitoring protocol, UDP and TCP; \"\" = off")
	flags.StringVar(&c.GRPC, "grpc", c.GRPC, "HOST:PORT or unix:PATH of grpc.health.v1; \"\" = off")
	keys := flags.String("monitor-keys", "", "file of NUMBER:HEX lines; monitoring requests must be signed with one of these keys")
	flags.StringVar(&c.File, "config", "", "YAML `FILE` of the services' policies; SIGHUP reads it again")
	flags.BoolVar(&o.check, "check-config", false, "say what is wrong with the -config file, and exit")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		fmt.Fprintln(help, "usage: landmarkd [flags]")
		flags.SetOutput(help)
		flags.PrintDefaults()
		return c, o, err
	case err != nil:
		return c, o, fmt.Errorf("%w; landmarkd -help lists the flags", err)
	case flags.NArg() > 0:
		return c, o, fmt.Errorf("unexpected argument %q; landmarkd takes flags alone, and -help lists them", flags.Arg(0))
	}
	if o.check && c.File == "" {
		return c, o, errors.New("-check-config needs the file to check: give -config FILE")
	}
	if *keys != "" {
		c.MonitorKeys, err = lmp.ReadKeys(*keys)
	}
	return c, o, err
}
