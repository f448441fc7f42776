package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/test/bench/report"
)

// freshRow forces answers that the main loop gives itself.
var freshRow = row{
	name: "fresh",
	lines: []report.Line{
		{What: "forced fresh answer through the main loop (max_age 1 ms), over UDP, p50", Unit: "µs", Goal: report.Goal{AtMost: 150}},
		{What: "the same by 1,000 checkers at once, over TCP, while the loop works: commands of the loop", Goal: report.Goal{AtMost: 1}},
	},
	measure: measureFresh,
}

const (
	// freshRate stays below what landmarkd allows for a service, 100 commands a second.
	freshRate     = 50
	freshRequests = 400
	// crowd is how many check at once, and crowdRounds how often.
	crowd       = 1000
	crowdRounds = 5
	// loopWork is how long the loop works before it looks for commands: so long that all
	// of the crowd have sent their requests.
	loopWork = 100 * time.Millisecond
)

// busyLoop is a main loop that works for some time when it is told to.
type busyLoop struct {
	work     chan time.Duration
	commands atomic.Int64
}

// run works until ctx is done.
func (b *busyLoop) run(ctx context.Context, l *landmark.Loop) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-b.work:
			time.Sleep(d)
		case answer := <-l.C():
			b.commands.Add(1)
			answer()
		}
	}
}

func measureFresh(ctx context.Context, s *suite) (m measured, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d, err := s.startLandmarkd("")
	if err != nil {
		return m, err
	}
	defer d.stop()
	marks, loop := landmark.NewSet(), &busyLoop{work: make(chan time.Duration)}
	go loop.run(ctx, marks.Loop("main loop", 10*time.Second)) // so that the agent's own commands are rare
	a, err := agent.Start(agent.Config{Service: checked, Landmarks: marks, Socket: d.agentSocket})
	if err != nil {
		return m, err
	}
	defer a.Close()
	if err := d.awaitStatus(ctx, lmp.StatusServing); err != nil {
		return m, err
	}
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range max(2, s.size(crowd)) {
		c, err := net.Dial("tcp", d.monitorAddress) // over UDP a socket's buffer has no room for so many
		if err != nil {
			return m, err
		}
		conns = append(conns, c)
	}
	udp, err := net.Dial("udp", d.monitorAddress)
	if err != nil {
		return m, err
	}
	defer udp.Close()
	q, in := request(lmp.Request{Kind: lmp.KindCheck, MaxAge: time.Millisecond}, nil), make([]byte, lmp.HeaderLength)
	var took []time.Duration
	for range s.size(freshRequests) {
		if !sleep.For(ctx, time.Second/freshRate) {
			return m, ctx.Err()
		}
		began := time.Now()
		if err := exchange(udp, q, in); err != nil {
			return m, err
		}
		took = append(took, time.Since(began))
	}
	var commands []float64
	for range s.rounds(crowdRounds) {
		if !sleep.For(ctx, loopWork) { // so that the last answer is too old
			return m, ctx.Err()
		}
		loop.work <- loopWork
		before := loop.commands.Load()
		for _, c := range conns {
			if _, err := c.Write(q); err != nil {
				return m, err
			}
		}
		for _, c := range conns {
			if err := read(c, in); err != nil {
				return m, fmt.Errorf("%d checkers at once: %w", len(conns), err)
			}
		}
		commands = append(commands, float64(loop.commands.Load()-before))
	}
	t := summarize(took)
	m.figures = []figure{
		amount(float64(quantile(durations(took), 0.5))/1e3, fmt.Sprintf("p99 %v, at %d a second", t.p99, freshRate)),
		amount(median(commands), fmt.Sprintf("in %d rounds: %v", len(commands), commands)),
	}
	m.curves = []report.Series{curve("a fresh answer through the main loop", took)}
	return m, nil
}

// exchange sends a request and reads its answer.
func exchange(c net.Conn, q, in []byte) error {
	if _, err := c.Write(q); err != nil {
		return err
	}
	return read(c, in)
}

// read reads an answer, which must be SERVING.
func read(c net.Conn, in []byte) error {
	if err := c.SetReadDeadline(time.Now().Add(changeTimeout)); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, in); err != nil {
		return err
	}
	a, err := lmp.ParseAnswer(in)
	if err == nil && a.Status != lmp.StatusServing {
		err = fmt.Errorf("the answer is %v, %v", a.Status, a.Cause)
	}
	return err
}
