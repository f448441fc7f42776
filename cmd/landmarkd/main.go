//go:build linux

// Command landmarkd is the sidecar. Agents in programs report facts to it over a Unix
// socket; it judges them and answers the checks of load balancers.
//
// It needs no flags, and runs until SIGTERM or SIGINT. A second signal ends it at once,
// even during -drain-on-stop. SIGHUP reads the configuration again; a wrong one is
// logged and changes nothing. Exit codes: 0 stopped by a signal, or -check-config found no
// error; 1 could not start, had to stop, or got a second signal; 2 bad arguments or
// configuration.
//
// It runs on Linux only, because it reads sockets and processes through Linux's own
// interfaces. -h lists the flags, and docs/operations.md describes them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"google.golang.org/grpc/grpclog"

	"github.com/landmark-health/landmark/internal/logqueue"
	"github.com/landmark-health/landmark/sidecar"
)

// version is set by the linker.
var version = "devel"

func main() {
	log := logqueue.Stderr()
	// By default gRPC writes errors to standard error itself, which blocks if no one reads.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, log))
	code := run(os.Args[1:], os.Stdout, log)
	log.Close()
	os.Exit(code)
}

// logWriter is where the log goes.
type logWriter interface {
	io.Writer
	Dropped() uint64 // lines that are missing
}

// run runs the program and returns its exit code.
func run(args []string, stdout io.Writer, stderr logWriter) int {
	config, mode, err := parse(args, stdout)
	switch {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "landmarkd: %v\n", err)
		return 2
	case mode.version:
		fmt.Fprintf(stdout, "landmarkd %s\n", version)
		return 0
	}
	if config.File != "" {
		if err := config.CheckFile(); err != nil {
			if file := new(fs.PathError); errors.As(err, &file) {
				err = fmt.Errorf("-config %s: %w; give the path of a YAML file that this user may read", config.File, file.Err)
			}
			fmt.Fprintf(stderr, "landmarkd: %v\n", err)
			return 2
		}
	}
	if err := config.CheckWebConfig(); err != nil {
		fmt.Fprintf(stderr, "landmarkd: -web-config %v\n", err)
		return 2
	}
	if mode.check && config.Journal != "" {
		if err := config.CheckJournal(); err != nil {
			fmt.Fprintf(stderr, "landmarkd: -journal: %v\n", err)
			return 2
		}
	}
	if mode.check {
		for _, file := range []string{config.File, config.WebConfig} {
			if file != "" {
				fmt.Fprintf(stdout, "%s is valid\n", file)
			}
		}
		return 0
	}
	return serve(config, stderr)
}

// memoryLimit is the soft limit of the Go runtime's memory, in bytes, unless GOMEMLIMIT
// sets another. landmarkd's own limits keep the memory in use lower (see
// docs/operations.md); this keeps garbage from adding much to it.
const memoryLimit = 100 << 20

// serve runs the sidecar until a signal ends it, and returns the exit code.
func serve(config sidecar.Config, stderr logWriter) int {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	config.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	config.ServiceManager = true
	config.Version, config.LogDropped = version, stderr.Dropped

	ctx := untilSignal()
	hangup := make(chan os.Signal, 1) // before New, because an early SIGHUP must not end the program
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

// untilSignal returns a context that is done at the first SIGTERM or SIGINT. The second
// one ends the program at once with exit code 1.
func untilSignal() context.Context {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-signals
		stop()
		<-signals
		os.Exit(1)
	}()
	return ctx
}

// reload reads the configuration again at each hangup.
func reload(s *sidecar.Sidecar, hangup <-chan os.Signal, logger *slog.Logger) {
	for range hangup {
		if err := s.Reload(); err != nil {
			logger.Error("the new configuration is wrong, so the old one stays", "err", err)
		}
	}
}
