package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/sleep"
	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

// drainCommand drains a service.
var drainCommand = command{
	name:      "drain",
	arguments: "NAME",
	purpose:   "take a service out until it is resumed: it gets no new work, and its connections can finish",
	prepare: func(flags *flag.FlagSet) action {
		client := adminFlags(flags)
		var wait time.Duration
		duration.Var(flags, &wait, "wait", 0, "after draining, wait for this `time`, such as 10s, so that balancers notice and connections finish before the program is stopped")
		untilGone := flags.Bool("until-gone", false, "end the drain when the last process of the service is gone, so that the next one is not drained")
		return func(ctx context.Context, args []string, o output) error {
			name, err := requiredName(args)
			if err != nil {
				return err
			}
			if wait < 0 {
				return badArguments("-wait %v is less than 0", wait)
			}
			var done *adminv1.DrainResponse
			err = client.call(ctx, func(ctx context.Context, admin adminv1.AdminServiceClient) (err error) {
				done, err = admin.Drain(ctx, &adminv1.DrainRequest{Service: name, UntilGone: *untilGone})
				return err
			})
			if err != nil {
				return err
			}
			// A preStop hook stops the program after the wait. So wait even if standard
			// output is closed or full.
			outputErr := printDrained(o.out, name, done.GetAlready(), wait)
			if err := waitAfterDrain(ctx, name, wait); err != nil {
				return err
			}
			return outputErr
		}
	},
}

func printDrained(w io.Writer, name string, already bool, wait time.Duration) error {
	line := name + " is drained"
	if already {
		line = name + " was drained already"
	}
	if wait > 0 {
		line += "; waiting " + duration.Format(wait) + " for its connections to finish"
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// waitAfterDrain waits for the given time. If it is interrupted, the service stays
// drained.
func waitAfterDrain(ctx context.Context, name string, wait time.Duration) error {
	end := time.Now().Add(wait)
	sleep.For(ctx, wait)
	if left := time.Until(end); left > 0 {
		return exitError{exitInterrupted, fmt.Errorf("interrupted %s before the end of the wait; %s stays drained until landmark resume %s", duration.Format(left), name, name)}
	}
	return nil
}

// resumeCommand ends a drain.
var resumeCommand = command{
	name:      "resume",
	arguments: "NAME",
	purpose:   "end the drain of a service",
	prepare: func(flags *flag.FlagSet) action {
		client := adminFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := requiredName(args)
			if err != nil {
				return err
			}
			var done *adminv1.ResumeResponse
			err = client.call(ctx, func(ctx context.Context, admin adminv1.AdminServiceClient) (err error) {
				done, err = admin.Resume(ctx, &adminv1.ResumeRequest{Service: name})
				return err
			})
			if err != nil {
				return err
			}
			line := name + " is resumed"
			if done.GetAlready() {
				line = name + " was not drained by an operator"
			}
			_, err = fmt.Fprintln(o.out, line)
			return err
		}
	},
}

// forgetCommand forgets a service that no process reports.
var forgetCommand = command{
	name:      "forget",
	arguments: "NAME",
	purpose:   "forget a service that no process reports: its lost processes, its owner, and its drain",
	prepare: func(flags *flag.FlagSet) action {
		client := adminFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := requiredName(args)
			if err != nil {
				return err
			}
			err = client.call(ctx, func(ctx context.Context, admin adminv1.AdminServiceClient) error {
				_, err := admin.Forget(ctx, &adminv1.ForgetRequest{Service: name})
				return err
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(o.out, name+" is forgotten")
			return err
		}
	},
}
