package main

import (
	"errors"
	"fmt"
)

// The exit codes. Those that landmark-check has too mean the same there. 4, which is
// landmark-check's for not serving, is not used.
const (
	exitArguments   = 1
	exitNoAnswer    = 2
	exitRefused     = 3
	exitInterrupted = 5
)

// exitError is an error with an exit code.
type exitError struct {
	code int
	error
}

// badArguments returns an error about the command line, which says what to do.
func badArguments(format string, args ...any) error {
	return exitError{exitArguments, fmt.Errorf(format, args...)}
}

// exitCode returns the program's exit code. Any error without a code of its own means
// that the output failed, so the answer did not arrive.
func exitCode(err error) int {
	var e exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.code
	}
	return exitNoAnswer
}
