package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/test/bench/report"
)

// lmpWatchRow changes a service that many watch over the monitoring protocol.
var lmpWatchRow = row{
	name: "lmp watch",
	lines: []report.Line{
		{What: "LMP WATCH, 1,000 connections, against a raw write loop in C: from a change until the last one has it", Unit: "×", Goal: report.Goal{AtMost: 1.2}},
		{What: "the same: landmarkd's resident memory for each connection", Unit: "kB", Goal: report.Goal{AtMost: 2}},
		{What: "LMP WATCH, 10,000 connections, against a raw write loop in C: from a change until the last one has it", Unit: "×", Goal: report.Goal{AtMost: 1.2}},
		{What: "the same: landmarkd's resident memory for each connection", Unit: "kB", Goal: report.Goal{AtMost: 2}},
	},
	measure: measureLMPWatch,
}

func measureLMPWatch(ctx context.Context, s *suite) (m measured, err error) {
	own, other := report.Series{Name: "landmarkd, LMP"}, report.Series{Name: "a raw write loop in C"}
	for _, n := range watcherCounts {
		v, err := s.lmpWatch(ctx, s.size(n))
		if missing := missingError(""); errors.As(err, &missing) {
			return m, err
		}
		if v.own > 0 {
			own.Points = append(own.Points, report.Point{X: float64(n), Y: v.own})
		}
		if v.other > 0 {
			other.Points = append(other.Points, report.Point{X: float64(n), Y: v.other})
		}
		if n < 1000 {
			continue
		}
		if err != nil {
			m.figures = append(m.figures, failed(err), failed(err))
			continue
		}
		m.figures = append(m.figures,
			ratio(v.ratios, fmt.Sprintf("%s beside %s ms", report.Digits(v.own), report.Digits(v.other))),
			amount(v.memory, fmt.Sprintf("of %d connections", s.size(n))))
	}
	m.plots = []report.Plot{watcherPlot("watchers-lmp", "LMP", own, other)}
	return m, nil
}

// changesOfMemory is how many changes there were when the memory is measured. Each leaves
// some garbage, until the collector runs, which is not the connections'.
const changesOfMemory = 10

// watched is what changes cost with many watchers.
type watched struct {
	ratios     []float64
	own, other float64 // ms
	memory     float64 // kB a connection
}

func (s *suite) lmpWatch(ctx context.Context, n int) (v watched, err error) {
	c, err := s.startC("tcp", "serve")
	if err != nil {
		return v, err
	}
	defer c.stop()
	raw, err := s.watchLMP(ctx, c.address, n)
	if err != nil {
		return v, err
	}
	defer raw.stop()
	rounds := s.rounds(watchChanges)
	changeRaw := raw.change(func() error { _, err := c.control.Write([]byte{'\n'}); return err })

	d, err := s.startLandmarkd("")
	if err != nil {
		return v, err
	}
	defer d.stop()
	p, stop, err := d.startChanging(ctx)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	before, err := d.rss()
	if err != nil {
		return v, err
	}
	watchers, err := s.watchLMP(ctx, d.monitorAddress, n)
	if err != nil {
		// Then only the raw loop is measured.
		alone, err2 := inTurn(ctx, rounds, changeRaw)
		if err2 != nil {
			return v, err2
		}
		v.other = median(alone[0])
		return v, fmt.Errorf("landmarkd: %w; the raw loop: %s ms", err, report.Digits(v.other))
	}
	defer watchers.stop()
	changeOwn := watchers.change(p.flip)
	if _, err := inTurn(ctx, s.rounds(changesOfMemory), changeOwn); err != nil {
		return v, err
	}
	if !sleep.For(ctx, s.scaled(settleTime)) {
		return v, ctx.Err()
	}
	after, err := d.rss()
	if err != nil {
		return v, err
	}
	v.memory = (after - before) * 1e3 / float64(n)
	all, err := inTurn(ctx, rounds, changeOwn, changeRaw)
	if err != nil {
		return v, err
	}
	v.own, v.other = median(all[0]), median(all[1])
	v.ratios = eventRatios(all[0], all[1], func(v float64) float64 { return v })
	return v, nil
}

// lmpWatchers are connections with a WATCH, in a process of their own.
type lmpWatchers struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// watchLMP opens so many WATCHes, and returns when each has had its first answer. The
// keep-alive is longer than the measurement.
func (s *suite) watchLMP(ctx context.Context, address string, n int) (*lmpWatchers, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	const ends = 10 * time.Minute
	frame := request(lmp.Request{Kind: lmp.KindWatch, MaxAge: ends}, nil)
	cmd := exec.CommandContext(ctx, s.path("tcp"), "watch", port, fmt.Sprint(n), fmt.Sprint(ends.Seconds()), hex.EncodeToString(frame))
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	errors := &strings.Builder{}
	cmd.Stderr = errors
	if _, err := cmd.StdinPipe(); err != nil { // open as long as the process may run
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &lmpWatchers{cmd, bufio.NewScanner(out)}
	// A server that neither refuses the connections nor answers.
	timeout := time.AfterFunc(watchTimeout, func() { cmd.Process.Kill() })
	defer timeout.Stop()
	if !w.lines.Scan() {
		w.stop()
		return nil, fmt.Errorf("opening %d connections: %s", n, strings.TrimSpace(errors.String()))
	}
	return w, nil
}

// change returns a function that makes a change, and returns how many ms it took until
// the last watcher had it.
func (w *lmpWatchers) change(change func() error) func() (float64, error) {
	return func() (float64, error) {
		time.Sleep(watchGap)
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			return 0, err
		}
		if err := change(); err != nil {
			return 0, err
		}
		timeout := time.AfterFunc(watchTimeout, func() { w.cmd.Process.Kill() })
		defer timeout.Stop()
		if !w.lines.Scan() {
			return 0, fmt.Errorf("not all watchers had a change within %v", watchTimeout)
		}
		var first, last int64
		_, err := fmt.Sscan(w.lines.Text(), &first, &last)
		return float64(last-now.Nano()) / 1e6, err
	}
}

func (w *lmpWatchers) stop() {
	w.cmd.Process.Kill()
	w.cmd.Wait()
}
