package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// statusCell shows a status: green at full weight; yellow at a lower weight, and while
// the service is out for a cause that is not a fault; red otherwise.
func statusCell(v *statusv1.Verdict) terminal.Cell {
	colour := terminal.Red
	switch {
	case v.GetStatus() == statusv1.Status_STATUS_SERVING && v.GetWeight() == 100:
		colour = terminal.Green
	case v.GetStatus() == statusv1.Status_STATUS_SERVING, describe.Intended(v.GetCause()):
		colour = terminal.Yellow
	}
	return terminal.Coloured(colour, strings.TrimPrefix(v.GetStatus().String(), "STATUS_"))
}

// stateCell shows a landmark's state.
func stateCell(l *statusv1.Landmark) terminal.Cell {
	text := describe.State(l)
	switch l.GetState() {
	case statusv1.State_STATE_OK:
		return terminal.Coloured(terminal.Green, text)
	case statusv1.State_STATE_DEGRADED:
		return terminal.Coloured(terminal.Yellow, text)
	case statusv1.State_STATE_FAILING:
		return terminal.Coloured(terminal.Red, text)
	}
	return terminal.Text(text)
}

func causeCell(v *statusv1.Verdict) terminal.Cell {
	return terminal.Text(cmp.Or(describe.Cause(v), "-"))
}

func weightCell(v *statusv1.Verdict) terminal.Cell {
	return terminal.Text(fmt.Sprintf("%d%%", v.GetWeight()))
}
