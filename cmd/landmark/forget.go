package main

import (
	"context"
	"flag"
	"fmt"

	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

// forgetCommand forgets a service that no process reports.
var forgetCommand = command{
	name:      "forget",
	arguments: "NAME",
	purpose:   "forget a service that no process reports: its lost processes, the user it belongs to, and its drain",
	prepare: func(flags *flag.FlagSet) action {
		operating := operatingFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := oneName(args)
			if err != nil {
				return err
			}
			err = operating.operate(ctx, func(ctx context.Context, client adminv1.AdminServiceClient) error {
				_, err := client.Forget(ctx, &adminv1.ForgetRequest{Service: name})
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
