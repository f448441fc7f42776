package main

import (
	"errors"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

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
	case errors.Is(err, probe.ErrRejected):
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
// down, and n from 2 on is up at the weight n-2. With the configured weight, a
// degraded server gets its part of that, and at least 1, for at 0 it would drain.
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
			return weight0 + max(1, (weight*int(a.Weight)+99)/100)
		case a.Status == lmp.StatusServing:
			return configuredWeight
		case a.Status == lmp.StatusNotServing && a.Cause == lmp.CauseDraining:
			return weight0
		}
		return down
	}
}

// ldirectordCode exits as ldirectord's external check takes it: 0 is up.
func ldirectordCode(a lmp.Answer, err error) int {
	if err != nil || a.Status != lmp.StatusServing {
		return 1
	}
	return 0
}
