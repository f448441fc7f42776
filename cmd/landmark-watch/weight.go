package main

import (
	"math"

	"github.com/landmark-health/landmark/internal/keepalived"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// out is the value that takes a server out, whatever its weight.
const out = math.MinInt32

// value returns the value of a track file for an update. keepalived adds it to weight, the
// configured weight of the server. If weight is 0, the value means only in or out. It is
// never more than 0.
func value(u probe.Update, weight int) int {
	switch {
	case u.Err != nil:
		return out
	case u.Answer.Status == lmp.StatusServing && weight == 0:
		return 0
	case u.Answer.Status == lmp.StatusServing:
		return keepalived.Weight(weight, u.Answer.Weight) - weight
	case u.Answer.Status == lmp.StatusNotServing && u.Answer.Cause == lmp.CauseDraining && weight > 0:
		return -weight // in, at weight 0, so that its connections can finish
	}
	return out
}
