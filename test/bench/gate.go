package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
	"github.com/landmark-health/landmark/test/bench/report"
	"github.com/landmark-health/landmark/test/freeport"
)

// gateRow measures how soon a gate opens and closes after the call of the program, and
// after the first answer over UDP that shows the change.
var gateRow = row{
	name:    "gate",
	lines:   []report.Line{{What: "a gate that follows its program: from the answer over UDP to the gate, p99", Unit: "ms", Goal: report.Goal{AtMost: 5}}},
	measure: measureGate,
}

// gateChanges is how many changes are measured.
const gateChanges = 200

func measureGate(ctx context.Context, s *suite) (m measured, err error) {
	gate, err := freeport.Address()
	if err != nil {
		return m, err
	}
	d, err := s.startLandmarkd(fmt.Sprintf("services:\n  %s: {gate: %q}\n", checked, gate))
	if err != nil {
		return m, err
	}
	defer d.stop()
	p, stop, err := d.startChanging(ctx)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if _, err := d.awaitGate(ctx, gate, checked, true); err != nil {
		return m, err
	}
	var afterCall, afterAnswer []time.Duration
	for i := range max(2, s.size(gateChanges)) {
		if !sleep.For(ctx, meanGap/2+rand.N(meanGap)) {
			return m, ctx.Err()
		}
		open, changed := i%2 == 1, time.Now()
		p.condition.Set(open, "set by the measurement")
		at, err := d.awaitGate(ctx, gate, checked, open)
		if err != nil {
			return m, err
		}
		afterCall = append(afterCall, at.gate.Sub(changed))
		afterAnswer = append(afterAnswer, max(0, at.gate.Sub(at.answer)))
	}
	call, answer := summarize(afterCall), summarize(afterAnswer)
	m.figures = []figure{amount(float64(answer.p99)/1e6, fmt.Sprintf("after the program's call p50 %v, p99 %v", call.median, call.p99))}
	return m, nil
}

// seen is when a change was seen first.
type seen struct{ gate, answer time.Time }

// awaitGate checks the gate and over UDP in turn, until both show that the service is
// serving, or that it is not.
func (d *landmarkd) awaitGate(ctx context.Context, gate, service string, serving bool) (at seen, err error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	for at.gate.IsZero() || at.answer.IsZero() {
		if err := ctx.Err(); err != nil {
			return at, fmt.Errorf("the gate, or the answer over UDP, has not changed: %w", err)
		}
		if at.gate.IsZero() {
			conn, err := net.Dial("tcp", gate)
			if err == nil {
				conn.Close()
			}
			if (err == nil) == serving {
				at.gate = time.Now()
			}
		}
		if at.answer.IsZero() {
			a, err := probe.Do(ctx, probe.Request{Network: "udp", Address: d.monitorAddress, Kind: lmp.KindCheck, Service: service})
			if err == nil && (a.Status == lmp.StatusServing) == serving {
				at.answer = time.Now()
			}
		}
	}
	return at, nil
}
