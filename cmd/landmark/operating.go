package main

import (
	"context"
	"flag"

	"github.com/landmark-health/landmark/internal/contract"
	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

// operating is the flags of a command that has landmarkd do something.
type operating struct{ socket string }

// operatingFlags declares them.
func operatingFlags(flags *flag.FlagSet) *operating {
	var op operating
	flags.StringVar(&op.socket, "admin-socket", contract.AdminSocket(), "tell landmarkd over the Unix socket `PATH`, which is its -admin-socket")
	return &op
}

// operate calls landmarkd.
func (op *operating) operate(ctx context.Context, call func(context.Context, adminv1.AdminServiceClient) error) error {
	conn, err := connect("unix:"+op.socket, "admin-socket")
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := call(ctx, adminv1.NewAdminServiceClient(conn)); err != nil {
		return conn.failure(ctx, err)
	}
	return nil
}
