package main

import (
	"errors"
	"fmt"
)

// The exit codes. Where landmark-check has the like, they are the same; its 4,
// not serving, is left free.
const (
	exitArguments   = 1
	exitNoAnswer    = 2
	exitRefused     = 3
	exitInterrupted = 5
)

// failure is an error that has an exit code of its own.
type failure struct {
	code int
	error
}

// badArguments returns a failure that says what to do.
func badArguments(format string, args ...any) error {
	return failure{exitArguments, fmt.Errorf(format, args...)}
}

// exitCode returns the code with which the program ends. What nothing else is
// said of kept the answer from being told.
func exitCode(err error) int {
	var f failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return f.code
	}
	return exitNoAnswer
}
