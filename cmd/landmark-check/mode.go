package main

import (
	"errors"
	"fmt"

	"github.com/landmark-health/landmark/internal/keepalived"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// mode is the kind of checker that runs the program. It determines the request, the exit
// code and the line. In every mode 0 means serving, and only a serving answer exits with
// it.
type mode struct {
	kind lmp.Kind // KindDescribe where people read the line, because it has the reason
	code func(lmp.Answer, error) int
	line func(service string, a lmp.Answer, err error) string
}

// modeOf returns the mode of -as. weight is that of -weight, 0 if it is not given.
func modeOf(name string, weight int) (mode, error) {
	if weight != 0 && name != "keepalived" {
		return mode{}, errors.New("-weight is keepalived's: give it with -as keepalived")
	}
	switch name {
	case "exec":
		return mode{lmp.KindDescribe, execCode, line}, nil
	case "keepalived":
		return mode{lmp.KindCheck, keepalivedCode(weight), line}, nil
	case "nagios":
		return mode{lmp.KindDescribe, nagiosCode, nagiosLine}, nil
	}
	return mode{}, fmt.Errorf("-as %q is not a mode: give exec, keepalived or nagios", name)
}

// execCode returns the exit codes of grpc-health-probe, which exec probes of Kubernetes
// and scripts use.
func execCode(a lmp.Answer, err error) int {
	const (
		serving = iota
		_       // bad arguments
		noAnswer
		rejected
		notServing
	)
	switch {
	case errors.Is(err, probe.ErrRejected):
		return rejected
	case err != nil:
		return noAnswer
	case a.Status == lmp.StatusServing:
		return serving
	case a.Status == lmp.StatusUnknownService:
		return rejected
	}
	return notServing
}

// keepalivedCode returns the exit codes of keepalived's MISC_CHECK with misc_dynamic: 1 is
// down, and n from 2 on is up at the weight n-2. If the configured weight is given, a
// degraded server gets its part of it.
func keepalivedCode(weight int) func(lmp.Answer, error) int {
	const (
		configuredWeight = iota
		down
		weight0
	)
	return func(a lmp.Answer, err error) int {
		switch {
		case err != nil:
			return down
		case a.Status == lmp.StatusServing && weight != 0 && a.Weight < 100:
			return weight0 + keepalived.Weight(weight, a.Weight)
		case a.Status == lmp.StatusServing:
			return configuredWeight
		case a.Status == lmp.StatusNotServing && a.Cause == lmp.CauseDraining:
			return weight0
		}
		return down
	}
}
