package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/test/bench/report"
)

// changeRow measures the way of a change: from the call of the program, through its agent
// and landmarkd, to a WATCH.
var changeRow = row{
	name:    "change",
	lines:   []report.Line{{What: "change in the program → answer changes, p99, beyond a relay from a Unix socket to TCP", Unit: "ms", Goal: report.Goal{AtMost: 1}}},
	measure: measureChange,
}

// changes is how many are measured, of each.
const changes = 300

func measureChange(ctx context.Context, s *suite) (m measured, err error) {
	d, err := s.startLandmarkd("")
	if err != nil {
		return m, err
	}
	defer d.stop()
	p, stop, err := d.startChanging(ctx)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	watch, err := net.Dial("tcp", d.monitorAddress)
	if err != nil {
		return m, err
	}
	defer watch.Close()
	if _, err := watch.Write(request(lmp.Request{Kind: lmp.KindWatch, MaxAge: time.Hour}, nil)); err != nil {
		return m, err
	}
	frame := make([]byte, lmp.HeaderLength)
	if _, err := io.ReadFull(watch, frame); err != nil { // the present answer
		return m, err
	}
	socket := filepath.Join(d.dir, "relay.sock")
	relay, err := startSelf(relayMode, socket)
	if err != nil {
		return m, err
	}
	defer relay.stop()
	in, err := net.Dial("unix", socket)
	if err != nil {
		return m, err
	}
	defer in.Close()
	out, err := net.Dial("tcp", relay.address)
	if err != nil {
		return m, err
	}
	defer out.Close()

	// until returns how long it takes from a call until a connection has a frame.
	until := func(conn net.Conn, call func() error) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			if !sleep.For(ctx, meanGap/4+rand.N(meanGap/2)) {
				return 0, ctx.Err()
			}
			if err := conn.SetReadDeadline(time.Now().Add(changeTimeout)); err != nil {
				return 0, err
			}
			began := time.Now()
			if err := call(); err != nil {
				return 0, err
			}
			_, err := io.ReadFull(conn, frame)
			return time.Since(began), err
		}
	}
	all, err := inTurn(ctx, max(2, s.size(changes)), until(watch, p.flip), until(out, func() error {
		_, err := in.Write(frame)
		return err
	}))
	if err != nil {
		return m, err
	}
	own, floor := summarize(all[0]), summarize(all[1])
	m.figures = []figure{amount(float64(own.p99-floor.p99)/1e6, fmt.Sprintf("p50 %v beside %v, p99 %v beside %v", own.median, floor.median, own.p99, floor.p99))}
	m.curves = []report.Series{curve("change in the program → WATCH", all[0])}
	return m, nil
}
