// Command landmark-watch runs on a director and keeps keepalived's track files up to date.
// It watches the landmarkd of every real server and replaces a file when an answer changes
// it, so that keepalived's FILE_CHECK reacts within milliseconds.
//
//	landmark-watch -dir DIR [-key-file FILE] -target NAME=HOST:PORT/SERVICE[,weight=N] …
//
// The values in DIR/NAME, with N the weight that keepalived is configured with, and w the
// server's weight in percent of its capacity:
//
//	               without weight    with weight=N
//	serving        0                 −N + max(1, ⌈N·w/100⌉)
//	draining       −2147483648       −N (in, at weight 0)
//	anything else  −2147483648       −2147483648 (out)
//
// Anything else includes 3 s without an answer. Its start and its exit change no file: a
// file stays as it is until the first answer, or 3 s of silence. SIGHUP changes nothing.
// Exit codes: 0 stopped by SIGTERM or SIGINT, 1 could not run, 2 bad arguments.
//
// It is for Linux, where keepalived runs, and also builds for macOS.
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

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := logqueue.Stderr()
	code := run(ctx, os.Args[1:], os.Stdout, log)
	log.Close()
	os.Exit(code)
}

// run runs the program until ctx is done, and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	hangups := make(chan os.Signal, 1) // first, because an early SIGHUP must not end the program
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

// logHangup logs the first SIGHUP, because its sender expects something to happen.
func logHangup(ctx context.Context, hangups <-chan os.Signal, logger *slog.Logger) {
	select {
	case <-hangups:
		logger.Info("SIGHUP changes nothing: landmark-watch has no file to read again; restart it for other flags")
	case <-ctx.Done():
	}
}
