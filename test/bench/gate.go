package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

const (
	gateRow = "a gate that follows its program"
	// gateChanges is how many changes are measured.
	gateChanges = 250
	// gateLimit is the time after the answer over UDP within which the gate must
	// follow, in 99 % of the changes.
	gateLimit = 5 * time.Millisecond
)

// measureGate measures how soon a gate opens and closes after the call of the program,
// and after the first answer over UDP that shows the change.
func measureGate(ctx context.Context, out io.Writer, path string) (err error) {
	const service = "changing"
	gate, err := freeAddress()
	if err != nil {
		return err
	}
	d, err := startLandmarkd(path, fmt.Sprintf("services:\n  %s: {gate: %q}\n", service, gate))
	if err != nil {
		return err
	}
	defer d.stop()
	p, err := newProgram(d.agentSocket, service, 20)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- p.run(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-ended)
	}()
	if _, err := d.awaitGate(ctx, gate, service, true); err != nil {
		return err
	}
	var afterCall, afterAnswer []time.Duration
	for i := range gateChanges {
		if !sleep.For(ctx, meanGap/2+rand.N(meanGap)) {
			return ctx.Err()
		}
		open, changed := i%2 == 1, time.Now()
		p.condition.Set(open, "set by the measurement")
		at, err := d.awaitGate(ctx, gate, service, open)
		if err != nil {
			return err
		}
		afterCall = append(afterCall, at.gate.Sub(changed))
		afterAnswer = append(afterAnswer, max(0, at.gate.Sub(at.answer)))
	}
	call, answer := summarize(afterCall), summarize(afterAnswer)
	fmt.Fprintf(out, "%s, %d changes: after the program's call p50 %v, p99 %v, max %v; after the answer over UDP p50 %v, p99 %v, max %v, limit p99 %v\n",
		gateRow, gateChanges, call.median, call.p99, slices.Max(afterCall).Round(10*time.Microsecond), answer.median, answer.p99, slices.Max(afterAnswer).Round(10*time.Microsecond), gateLimit)
	if answer.p99 > gateLimit {
		return errors.New("the gate exceeds its limit")
	}
	return nil
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
