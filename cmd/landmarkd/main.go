// Command landmarkd is the sidecar: agents in programs report to it over a
// Unix socket, and it tells load balancers the truth about them.
//
// It runs with no flags at all and until SIGTERM or SIGINT; a second one ends
// it at once, be it draining (-drain-on-stop). SIGHUP makes it
// read its configuration again; one that is wrong is logged, and changes
// nothing. Exit codes: 0 stopped by a signal, or -check-config found nothing
// wrong; 1 it could not start or had to stop, or a second signal came; 2 bad arguments, or a bad
// configuration.
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

// version is stamped by the linker.
var version = "devel"

func main() {
	log := logqueue.Stderr()
	// By itself gRPC writes its errors to standard error, and waits for the reader.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, log))
	code := run(os.Args[1:], os.Stdout, log)
	log.Close()
	os.Exit(code)
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
			if file := new(fs.PathError); errors.As(err, &file) {
				err = fmt.Errorf("-config %s: %w; give the path of a YAML file that this user may read", config.File, file.Err)
			}
			fmt.Fprintf(stderr, "landmarkd: %v\n", err)
			return 2
		}
	}
	if only.check {
		fmt.Fprintf(stdout, "%s is valid\n", config.File)
		return 0
	}
	return serve(config, stderr)
}

// memory is the heap that the garbage collector tries to stay below, in bytes,
// unless GOMEMLIMIT says another. landmarkd's own bounds keep what is in use lower
// (see docs/operations.md); this keeps garbage from adding much to it.
const memory = 100 << 20

// serve runs the sidecar until a signal ends it, and returns the exit code.
func serve(config sidecar.Config, stderr io.Writer) int {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory)
	}
	config.Logger = slog.New(slog.NewTextHandler(stderr, nil))

	ctx := untilSignal()
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

// untilSignal returns a context that is done at the first SIGTERM or SIGINT. A
// second one waits for nothing, and ends the program with exit code 1.
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

// reload has the configuration read again at each hangup.
func reload(s *sidecar.Sidecar, hangup <-chan os.Signal, logger *slog.Logger) {
	for range hangup {
		if err := s.Reload(); err != nil {
			logger.Error("the new configuration is wrong, so the old one stays", "err", err)
		}
	}
}
