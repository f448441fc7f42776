// Command landmark-watch runs on a director and keeps keepalived's track files
// true: it holds a WATCH to the sidecar of every real server and writes what it
// is told by rename, so that keepalived's FILE_CHECK reacts in milliseconds.
//
//	landmark-watch -dir DIR [-key-file FILE] -target NAME=HOST:PORT/SERVICE[,weight=N] …
//
// The values that it writes to DIR/NAME, with N as the weight that keepalived is
// configured with, and w as the server's own, in percent of its capacity:
//
//	              without weight    with weight=N
//	serving       0                 −N + max(1, ⌈N·w/100⌉)
//	draining      −2147483648       −N, which is in, at weight 0
//	all else      −2147483648       −2147483648, which is out
//
// All else includes that nothing was heard for 3 s. Its own start and exit change
// no file: each stays as it is until there is a first word, or silence, on its
// target. SIGHUP changes nothing, for there is nothing to read again. Exit codes: 0
// ended by SIGTERM or SIGINT, 1 it could not run, 2 bad arguments.
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

	"github.com/landmark-health/landmark/internal/logqueue"
)

// version is stamped by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := logqueue.Stderr()
	code := run(ctx, os.Args[1:], os.Stdout, log)
	log.Close()
	os.Exit(code)
}

// run does the whole of the program's work and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	hangups := make(chan os.Signal, 1) // from now on: an early one must not end the program either
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	o, err := parseFlags(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "landmark-watch: %v\n", err)
		return 2
	case o.version:
		fmt.Fprintf(stdout, "landmark-watch %s\n", version)
		return 0
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go logHangup(ctx, hangups, logger)
	if err := watch(ctx, o, logger); err != nil {
		fmt.Fprintf(stderr, "landmark-watch: %v\n", err)
		return 1
	}
	return 0
}

// logHangup logs the first SIGHUP: whoever sends it expects something to happen,
// as logrotate and pkill do.
func logHangup(ctx context.Context, hangups <-chan os.Signal, logger *slog.Logger) {
	select {
	case <-hangups:
		logger.Info("SIGHUP changes nothing: landmark-watch has no file to read again; restart it for other flags")
	case <-ctx.Done():
	}
}
