package main

import (
	"context"
	"flag"
	"fmt"

	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

// resumeCommand ends a drain.
var resumeCommand = command{
	name:      "resume",
	arguments: "NAME",
	purpose:   "end the drain of a service",
	prepare: func(flags *flag.FlagSet) action {
		operating := operatingFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := oneName(args)
			if err != nil {
				return err
			}
			var done *adminv1.ResumeResponse
			err = operating.operate(ctx, func(ctx context.Context, client adminv1.AdminServiceClient) (err error) {
				done, err = client.Resume(ctx, &adminv1.ResumeRequest{Service: name})
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
