package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

// drainCommand takes a service out.
var drainCommand = command{
	name:      "drain",
	arguments: "NAME",
	purpose:   "take a service out until it is resumed: no new work, its connections left to finish",
	prepare: func(flags *flag.FlagSet) action {
		operating := operatingFlags(flags)
		wait := flags.Duration("wait", 0, "then wait for this `time`, so that balancers notice and connections finish, as before a program is stopped")
		untilGone := flags.Bool("until-gone", false, "end the drain by itself when the last process of the service is gone, for the next one not to be drained")
		return func(ctx context.Context, args []string, o output) error {
			name, err := oneName(args)
			if err != nil {
				return err
			}
			if *wait < 0 {
				return badArguments("-wait %v is less than 0", *wait)
			}
			var done *adminv1.DrainResponse
			err = operating.operate(ctx, func(ctx context.Context, client adminv1.AdminServiceClient) (err error) {
				done, err = client.Drain(ctx, &adminv1.DrainRequest{Service: name, UntilGone: *untilGone})
				return err
			})
			if err != nil {
				return err
			}
			// The program lives for as long as the wait lasts, so it lasts even
			// if standard output is closed or full.
			failed := tellDrained(o.out, name, done.GetAlready(), *wait)
			if err := linger(ctx, name, *wait); err != nil {
				return err
			}
			return failed
		}
	},
}

func tellDrained(w io.Writer, name string, already bool, wait time.Duration) error {
	line := name + " is drained"
	if already {
		line = name + " was drained already"
	}
	if wait > 0 {
		line += "; waiting " + span(wait) + " for its connections to finish"
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// linger waits for the given time. If it is interrupted, the drain stays.
func linger(ctx context.Context, name string, wait time.Duration) error {
	end := time.Now().Add(wait)
	pause(ctx, wait)
	if left := time.Until(end); left > 0 {
		return failure{exitInterrupted, fmt.Errorf("interrupted %s before the end of the wait; %s stays drained until landmark resume %s", span(left), name, name)}
	}
	return nil
}
