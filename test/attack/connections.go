package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// networkAttacks are what any host can send to the monitoring ports.
func networkAttacks() []attack {
	return []attack{
		{name: "silent connections, LMP", what: "more silent TCP connections than the limit, and landmark-watch restarts", who: "network",
			measured: true, play: func(s *scene) { s.silent(func(d *sidecar) string { return d.monitor }) }},
		{name: "silent connections, gRPC", what: "the same to the gRPC port", who: "network",
			measured: true, play: func(s *scene) { s.silent(func(d *sidecar) string { return d.grpc }) }},
		{name: "silent connections, line", what: "the same to the line protocol's port", who: "network",
			measured: true, play: func(s *scene) { s.silent(func(d *sidecar) string { return d.line }) }},
		{name: "LMP: DESCRIBE without reading", what: "bursts of 4,500 TCP connections from the checkers' own address, which send 300 DESCRIBEs each and read nothing", who: "network",
			measured: true, play: func(s *scene) {
				s.startPair()
				s.attack("DESCRIBE", s.sidecar.monitor, attackerUID)
				s.runFor(3*time.Second, 20*time.Second)
			}},
		{name: "gate flood", what: "more than 10,000 connections a second to an open gate, and attempts to a closed one", who: "network",
			measured: true, play: floodedGates},
		{name: "hostile program", what: "a probed program that hangs, closes, floods, and answers byte by byte", who: "a probed program",
			measured: true, play: hostileProgram},
		{name: "unknown names", what: "a flood of checks of unknown names, while landmarkd restarts", who: "network", play: unknownNames},
	}
}

// silent fills a listener with connections that send nothing. In the short form
// landmarkd has few descriptors, so that few connections fill it.
func (s *scene) silent(target func(d *sidecar) string) {
	s.prepare()
	if !s.long {
		s.sidecar.files = 512
	}
	s.boot()
	s.pair()
	s.director(nil, "well", "hung")
	s.awaitCheckers("well", healthy)
	s.attack("silent", target(s.sidecar), attackerUID)
	s.runFor(time.Second, 5*time.Second)

	// A new client must still be accepted.
	late, err := os.MkdirTemp(s.dir, "late")
	s.must(err)
	s.must(os.WriteFile(filepath.Join(late, "well"), []byte("0\n"), 0o644))
	s.landmarkWatch(late, nil, "well")
	s.checkers.readTrackFile(late, "well")
	s.runFor(4*time.Second, 10*time.Second) // landmark-watch reports silence after 3 s
}

// unknownNames restarts landmarkd under a flood of checks that it must hold.
func unknownNames(s *scene) {
	s.startPair()
	s.attack("unknown names", s.sidecar.monitor, attackerUID)
	rounds := 3
	if s.long {
		rounds = 8
	}
	for range rounds {
		s.runFor(300*time.Millisecond, 300*time.Millisecond)
		// While landmarkd is away, programs redial it at growing intervals.
		s.outage(func() {
			s.sidecar.end()
			time.Sleep(1500 * time.Millisecond)
			s.must(s.sidecar.start())
		})
		s.runFor(1500*time.Millisecond, 1500*time.Millisecond)
	}
}

// holdSilentConnections holds more connections than any listener may have.
func holdSilentConnections(ctx context.Context, target string) error {
	return each(ctx, 12_000, func(ctx context.Context, _ int) { hold(ctx, target, "") })
}

// describeWithoutReading sends many DESCRIBEs on many connections at once, reads nothing,
// and begins again after landmarkd has closed them.
func describeWithoutReading(ctx context.Context, target string) error {
	request, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindDescribe, Nonce: 1, Service: []byte("well")}, nil)
	if err != nil {
		return err
	}
	requests := bytes.Repeat(request, 300)
	return each(ctx, 4500, func(ctx context.Context, _ int) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", target)
		if err != nil {
			time.Sleep(500 * time.Millisecond)
			return
		}
		defer conn.Close()
		conn.Write(requests)
		time.Sleep(6 * time.Second)
	})
}

// hold connects, sends the text, and reads until the other end closes.
func hold(ctx context.Context, target, text string) {
	conn, err := dialFromAttacker(ctx, target)
	if err != nil {
		time.Sleep(500 * time.Millisecond)
		return
	}
	defer conn.Close()
	io.WriteString(conn, text)
	io.Copy(io.Discard, conn)
}

// checkUnknownNames checks by UDP, another name each time, and reads no answer.
func checkUnknownNames(ctx context.Context, target string) error {
	conn, err := net.Dial("udp", target)
	if err != nil {
		return err
	}
	defer conn.Close()
	for n := 0; ctx.Err() == nil; n++ {
		b, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindCheck, Service: fmt.Appendf(nil, "unknown%d%s", n, strings.Repeat("x", n%50))}, nil)
		if err != nil {
			return err
		}
		conn.Write(b)
		if n%60 == 0 {
			time.Sleep(time.Millisecond) // 60,000 a second at most
		}
	}
	return nil
}
