package main

import (
	"math"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// out is the value of a track file that takes its server out, whatever weight it
// has.
const out = math.MinInt32

// value is what a track file says of an update: keepalived adds it to weight, that
// which the server is configured with. Without a weight, 0, a file says no more
// than in and out. The value is never more than 0.
func value(u probe.Update, weight int) int {
	switch {
	case u.Err != nil:
		return out
	case u.Answer.Status == lmp.StatusServing:
		return -weight + share(weight, u.Answer.Weight)
	case u.Answer.Status == lmp.StatusNotServing && u.Answer.Cause == lmp.CauseDraining && weight > 0:
		return -weight // in, at weight 0: its connections may finish
	}
	return out
}

// share is so many percent of the weight, at least 1 if there is any, for 0 would
// have a server that serves finish.
func share(weight int, percent uint8) int {
	if weight == 0 {
		return 0
	}
	return max(1, (weight*int(min(percent, 100))+99)/100)
}
