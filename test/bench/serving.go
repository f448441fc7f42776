package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

const (
	// checked is the service that is checked.
	checked = "epg"
	// changeTimeout is how long it may take until a change is seen.
	changeTimeout = 5 * time.Second
)

const idleMode = "idle"

// runIdle is a program with one main loop that has nothing to do, and one Loop of 1 s. Its
// argument is the agents' socket.
func runIdle(_ context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: bench idle SOCKET")
	}
	marks := landmark.NewSet()
	loop := marks.Loop("main loop", time.Second)
	if _, err := agent.Start(agent.Config{Service: checked, Landmarks: marks, Socket: args[0]}); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		bufio.NewReader(os.Stdin).ReadString('\n')
		close(ended)
	}()
	fmt.Println()
	for {
		select {
		case answer := <-loop.C():
			answer()
		case <-ended:
			return nil
		}
	}
}

// serving is a landmarkd to which one idle program reports.
type serving struct {
	*landmarkd
	program *child
}

// startServing starts both, and returns when the service is serving.
func (s *suite) startServing(ctx context.Context, config string, args ...string) (*serving, error) {
	d, err := newLandmarkd(config)
	if err != nil {
		return nil, err
	}
	return s.serveOn(ctx, d, args...)
}

// serveOn is startServing with a landmarkd that is not started yet.
func (s *suite) serveOn(ctx context.Context, d *landmarkd, args ...string) (*serving, error) {
	if err := d.start(s.landmarkd, args...); err != nil {
		return nil, err
	}
	p, err := startSelf(idleMode, d.agentSocket)
	if err != nil {
		d.stop()
		return nil, err
	}
	v := &serving{d, p}
	if err := d.awaitStatus(ctx, lmp.StatusServing); err != nil {
		v.stop()
		return nil, err
	}
	return v, nil
}

func (v *serving) stop() {
	v.program.stop()
	v.landmarkd.stop()
}

// awaitStatus waits until the answer about the service has the status.
func (d *landmarkd) awaitStatus(ctx context.Context, status lmp.Status) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	for {
		a, err := probe.Do(ctx, probe.Request{Network: "udp", Address: d.monitorAddress, Kind: lmp.KindCheck, Service: checked, Key: d.key})
		if err == nil && a.Status == status {
			return nil
		}
		if !sleep.For(ctx, 5*time.Millisecond) {
			return fmt.Errorf("the answer was %v %v, not %v: %w", a.Status, err, status, ctx.Err())
		}
	}
}

// startChanging starts a program in this process whose Condition decides the status of the
// service, and returns when it is serving.
func (d *landmarkd) startChanging(ctx context.Context) (p *program, stop func() error, err error) {
	p, err = newProgram(d.agentSocket, checked, 20)
	if err != nil {
		return nil, nil, err
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- p.run(running) }()
	stop = func() error {
		cancel()
		return <-ended
	}
	if err := d.awaitStatus(ctx, lmp.StatusServing); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return p, stop, nil
}

// request returns the frame of a request about the service.
func request(q lmp.Request, key *lmp.Key) []byte {
	q.Service = []byte(checked)
	frame, err := lmp.AppendRequest(nil, q, key)
	if err != nil {
		panic(err) // the kind and the name are constants
	}
	return frame
}

// checkRequest is the request that every checker makes.
var checkRequest = request(lmp.Request{Kind: lmp.KindCheck, Nonce: 0x0102030405060708}, nil)
