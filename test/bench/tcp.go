package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/landmark-health/landmark/test/bench/report"
)

// tcpWay is a way to check over TCP.
type tcpWay struct {
	name        string
	what        string
	connections int
	depth       int // requests on their way on each connection; 0 = a connection for each
	goal        float64
}

var tcpWays = []tcpWay{
	{"over TCP", "LMP CHECK over TCP, 64 persistent connections, against C epoll: answers a second", 64, 1, 0.85},
	{"pipelined over TCP", "the same, 16 requests pipelined on each of 16 connections", 16, 16, 0.9},
	{"a connection each", "the same, a connection for each request, 16 at once", 16, 0, 0.85},
}

// tcpRow saturates a server over TCP.
var tcpRow = row{name: "tcp", lines: tcpLines(), measure: measureTCP}

func tcpLines() (lines []report.Line) {
	for _, w := range tcpWays {
		lines = append(lines, report.Line{What: w.what, Unit: "×", Goal: report.Goal{AtLeast: w.goal}})
	}
	return lines
}

func measureTCP(ctx context.Context, s *suite) (m measured, err error) {
	c, err := s.startC("tcp", "serve")
	if err != nil {
		return m, err
	}
	defer c.stop()
	echo, err := startSelf(echoMode, "tcp")
	if err != nil {
		return m, err
	}
	defer echo.stop()
	d, err := s.startServing(ctx, "")
	if err != nil {
		return m, err
	}
	defer d.stop()
	for _, w := range tcpWays {
		all, err := inTurn(ctx, s.rounds(7),
			w.saturate(ctx, s, d.process, d.monitorAddress), w.saturate(ctx, s, c.process, c.address), w.saturate(ctx, s, echo.process, echo.address))
		if err != nil {
			return m, fmt.Errorf("%s: %w", w.name, err)
		}
		m.figures = append(m.figures, throughput(all[0], all[1]))
		m.throughput = append(m.throughput, report.Group{Name: "CHECK " + w.name,
			Values: []float64{medianOf(all[0], rateOf) / 1e3, medianOf(all[1], rateOf) / 1e3, medianOf(all[2], rateOf) / 1e3}})
	}
	return m, nil
}

// saturate returns a function that saturates a server in this way.
func (w tcpWay) saturate(ctx context.Context, s *suite, p process, address string) func() (answers, error) {
	return func() (a answers, err error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return a, err
		}
		d := s.scaled(saturation)
		var line string
		a, err = p.under(func() (int, time.Duration, error) {
			out, err := exec.CommandContext(ctx, s.path("tcp"), "check", port, fmt.Sprint(w.connections), fmt.Sprint(w.depth),
				fmt.Sprint(d.Seconds()), hex.EncodeToString(checkRequest)).CombinedOutput()
			if err != nil {
				return 0, 0, fmt.Errorf("the load: %w: %s", err, out)
			}
			line = string(out)
			var rate float64
			_, err = fmt.Sscan(line, &rate)
			return int(rate * d.Seconds()), d, err
		})
		if err != nil {
			return a, err
		}
		var rate, p50, p99, cpu float64
		if _, err := fmt.Sscanf(line, "%f answers/s %f p50_us %f p99_us %f cpu_s", &rate, &p50, &p99, &cpu); err != nil {
			return a, fmt.Errorf("the load printed %q: %w", strings.TrimSpace(line), err)
		}
		a.p50, a.p99 = time.Duration(p50*1e3), time.Duration(p99*1e3)
		return a, nil
	}
}
