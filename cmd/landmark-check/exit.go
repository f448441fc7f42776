package main

import (
	"errors"
	"fmt"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// exitCode tells an answer, or why there is none, to whom the program runs for.
// 0 means serving to all of them, and only a serving answer may give it.
type exitCode func(lmp.Answer, error) int

// exitCodeOf returns the exit codes of a mode of the flag -as.
func exitCodeOf(mode string) (exitCode, error) {
	switch mode {
	case "exec":
		return execCode, nil
	case "keepalived":
		return keepalivedCode, nil
	}
	return nil, fmt.Errorf("-as %q is no mode; there are exec and keepalived", mode)
}

// execCode exits as grpc-health-probe does, which Kubernetes' exec probes and
// scripts know.
func execCode(a lmp.Answer, err error) int {
	const (
		serving = iota
		_       // bad arguments
		noAnswer
		refused
		notServing
	)
	switch {
	case errors.Is(err, probe.ErrRefused):
		return refused
	case err != nil:
		return noAnswer
	case a.Status == lmp.StatusServing:
		return serving
	case a.Status == lmp.StatusUnknownService:
		return refused
	}
	return notServing
}

// keepalivedCode exits as keepalived's MISC_CHECK with misc_dynamic takes it: 1 is
// down, and n from 2 on is up at the weight n-2.
func keepalivedCode(a lmp.Answer, err error) int {
	const (
		configuredWeight = iota
		down
		weight0
	)
	switch {
	case err != nil:
		return down
	case a.Status == lmp.StatusServing:
		return configuredWeight
	case a.Status == lmp.StatusNotServing && a.Cause == lmp.CauseDraining:
		return weight0
	}
	return down
}

// ldirectordCode exits as ldirectord's external check takes it: 0 is up.
func ldirectordCode(a lmp.Answer, err error) int {
	if err != nil || a.Status != lmp.StatusServing {
		return 1
	}
	return 0
}
