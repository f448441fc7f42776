//go:build !linux

package main

import (
	"context"
	"errors"
)

func becomeProgram() {}

func (wrapping) run(context.Context, output) error {
	return exitError{execFailed, errors.New("exec: runs only on Linux")}
}
