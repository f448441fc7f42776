package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/test/bench/report"
)

// startupRow starts landmarkd beside a program that waits for it.
var startupRow = row{
	name: "startup",
	lines: []report.Line{
		{What: "landmarkd: from exec to the first answer SERVING over UDP, with a program that reports at once", Unit: "ms", Goal: report.Goal{AtMost: 50}},
		{What: "the same: from exec until it is ready", Unit: "ms"},
	},
	measure: measureStartup,
}

// starts is how many are measured.
const starts = 15

// oneIsEnough lets one process be enough, so that landmarkd need not wait for the others
// that may have been there before it started.
const oneIsEnough = "services:\n  " + checked + ": {instances: any}\n"

// startup is how long one start took.
type startup struct{ ready, answered time.Duration }

func measureStartup(ctx context.Context, s *suite) (m measured, err error) {
	all, err := inTurn(ctx, s.rounds(starts), func() (startup, error) { return s.startOnce(ctx) })
	if err != nil {
		return m, err
	}
	answered := func(u startup) float64 { return u.answered.Seconds() * 1e3 }
	ready := func(u startup) float64 { return u.ready.Seconds() * 1e3 }
	m.figures = []figure{
		amount(medianOf(all[0], answered), fmt.Sprintf("the median of %d starts", len(all[0]))),
		amount(medianOf(all[0], ready), ""),
	}
	return m, nil
}

func (s *suite) startOnce(ctx context.Context) (u startup, err error) {
	d, err := newLandmarkd(oneIsEnough)
	if err != nil {
		return u, err
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	began := time.Now()
	type answer struct {
		after time.Duration
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		err := d.firstAnswer(ctx)
		answered <- answer{time.Since(began), err}
	}()
	go d.reportAtOnce(ctx)
	if err := d.start(s.landmarkd); err != nil {
		return u, err
	}
	defer d.stop()
	ready, first := time.Since(began), <-answered
	return startup{ready, first.after}, first.err
}

// firstAnswer returns after the first answer that is SERVING.
func (d *landmarkd) firstAnswer(ctx context.Context) error {
	conn, err := net.Dial("udp", d.monitorAddress)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := make([]byte, 64)
	for ctx.Err() == nil {
		conn.Write(checkRequest) // refused until landmarkd listens
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, err := conn.Read(in); err == nil {
			if a, err := lmp.ParseAnswer(in[:n]); err == nil && a.Status == lmp.StatusServing {
				return nil
			}
		} else if !os.IsTimeout(err) {
			time.Sleep(200 * time.Microsecond)
		}
	}
	return fmt.Errorf("landmarkd did not answer SERVING: %w", ctx.Err())
}

// reportAtOnce starts an agent as soon as there is the socket that it reports to.
func (d *landmarkd) reportAtOnce(ctx context.Context) {
	for ctx.Err() == nil {
		if conn, err := net.Dial("unix", d.agentSocket); err == nil {
			conn.Close()
			break
		}
		time.Sleep(200 * time.Microsecond)
	}
	marks := landmark.NewSet()
	alive := marks.Alive("a loop", time.Second)
	a, err := agent.Start(agent.Config{Service: checked, Landmarks: marks, Socket: d.agentSocket})
	if err != nil {
		return // the answer will not be SERVING
	}
	defer a.Close()
	for ctx.Err() == nil {
		alive.Reach()
		time.Sleep(5 * time.Millisecond)
	}
}
