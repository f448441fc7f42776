package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/wrapper"
)

// becomeProgram makes this process the program of landmark exec, if that started it for
// this.
func becomeProgram() {
	if wrapper.IsChild(os.Args) {
		code, err := wrapper.Become(os.Args)
		fmt.Fprintf(os.Stderr, "landmark: exec: %v\n", err)
		os.Exit(code)
	}
}

// run runs the program, and then ends this process in the same way.
func (w wrapping) run(ctx context.Context, o output) error {
	if ctx.Err() != nil {
		return exitError{execFailed, errors.New("exec: interrupted before the program was started")}
	}
	status, err := wrapper.Run(wrapper.Config{
		Command: w.command, Service: w.service, Watchdog: w.watchdog, Sidecar: contract.ReportNotifySocket(),
		Warn: func(err error) { fmt.Fprintf(o.err, "landmark: exec: %v\n", err) },
	})
	var start *wrapper.StartError
	switch {
	case errors.As(err, &start):
		return exitError{start.Status, fmt.Errorf("exec: %w", err)}
	case err != nil:
		return exitError{execFailed, fmt.Errorf("exec: %w", err)}
	}
	status.Exit()
	return nil
}
