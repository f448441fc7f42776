package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/landmark-health/landmark/test/bench/report"
)

// checkRow runs landmark-check as daemons do that start a process for each check.
var checkRow = row{
	name: "landmark-check",
	lines: []report.Line{
		{What: "landmark-check as a process, against grpc-health-probe: from start to exit", Unit: "×", Goal: report.Goal{AtMost: 0.3}},
		{What: "the same, against an empty Go program", Unit: "×", Goal: report.Goal{AtMost: 1.4}},
	},
	measure: measureCheck,
}

// checkRuns is how often each program is run.
const checkRuns = 100

// processRun is what one run of a program cost.
type processRun struct{ took, cpu time.Duration }

func measureCheck(ctx context.Context, s *suite) (m measured, err error) {
	d, err := s.startServing(ctx, "")
	if err != nil {
		return m, err
	}
	defer d.stop()
	all, err := inTurn(ctx, s.rounds(checkRuns),
		start(ctx, s.path("landmark-check"), "-addr", d.monitorAddress, "-service", checked),
		start(ctx, s.healthProbe, "-addr", d.grpcAddress, "-service", checked),
		start(ctx, s.path("empty")))
	if err != nil {
		return m, err
	}
	took := func(r processRun) float64 { return float64(r.took) / 1e6 }
	cpu := func(r processRun) float64 { return float64(r.cpu) / 1e6 }
	text := func(other int) string {
		return fmt.Sprintf("%s beside %s ms; processor time %s beside %s ms", report.Digits(medianOf(all[0], took)), report.Digits(medianOf(all[other], took)),
			report.Digits(medianOf(all[0], cpu)), report.Digits(medianOf(all[other], cpu)))
	}
	m.figures = []figure{ratio(eventRatios(all[0], all[1], took), text(1)), ratio(eventRatios(all[0], all[2], took), text(2))}
	return m, nil
}

// start returns a function that runs a program once.
func start(ctx context.Context, path string, args ...string) func() (processRun, error) {
	return func() (processRun, error) {
		cmd := exec.CommandContext(ctx, path, args...)
		began := time.Now()
		out, err := cmd.CombinedOutput()
		took := time.Since(began)
		if err != nil {
			return processRun{}, fmt.Errorf("%s: %w: %s", path, err, out)
		}
		return processRun{took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
	}
}
