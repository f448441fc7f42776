package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/duration"
)

// execFailed is the exit code if landmark itself fails, as env(1) and timeout(1) have it.
const execFailed = 125

// execCommand runs a program, and reports for it.
var execCommand = command{
	name:      "exec",
	arguments: "[--] COMMAND [ARGUMENT…]",
	purpose:   "run a program that sends notifications (sd_notify), and pass them on to landmarkd and to the service manager",
	wraps:     true,
	prepare: func(flags *flag.FlagSet) action {
		service := flags.String("service", "", "report the program as this `service` (default: the name of COMMAND)")
		var watchdog time.Duration
		duration.Var(flags, &watchdog, "watchdog", 0, "fail the service if the program does not send WATCHDOG=1 for this `time`, such as 2s\n(default: that of the service manager, in $WATCHDOG_USEC)")
		return func(ctx context.Context, args []string, o output) error {
			given := make(map[string]bool)
			flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
			w, err := wrapped(args, *service, watchdog, given)
			if err != nil {
				return exitError{execFailed, err}
			}
			return w.run(ctx, o)
		}
	},
}

// wrapping is what landmark exec is to do.
type wrapping struct {
	command  []string
	service  string
	watchdog time.Duration // 0 = none of its own
}

// wrapped checks the arguments of landmark exec.
func wrapped(args []string, service string, watchdog time.Duration, given map[string]bool) (wrapping, error) {
	if len(args) == 0 || args[0] == "" {
		return wrapping{}, fmt.Errorf("which program? Write landmark exec [flags] -- COMMAND; landmark help exec lists the flags")
	}
	w := wrapping{args, service, watchdog}
	if !given["service"] {
		w.service = filepath.Base(args[0])
		if err := contract.CheckServiceName(w.service); err != nil {
			return w, fmt.Errorf("no service can have the name of COMMAND: %w; give -service NAME", err)
		}
	} else if err := contract.CheckServiceName(service); err != nil {
		return w, fmt.Errorf("-service %w", err)
	}
	if given["watchdog"] {
		if err := contract.CheckWithin(watchdog); err != nil {
			return w, fmt.Errorf("-watchdog %w", err)
		}
	}
	return w, nil
}
