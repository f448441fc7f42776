package main

import (
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
		{name: "silent connections, LMP", what: "more silent TCP connections than there may be, and landmark-watch restarts", who: "network",
			measured: true, play: func(s *scene) { s.silent(func(d *sidecar) string { return d.monitor }) }},
		{name: "silent connections, gRPC", what: "the same to the gRPC port", who: "network",
			measured: true, play: func(s *scene) { s.silent(func(d *sidecar) string { return d.grpc }) }},
		{name: "silent connections, line", what: "the same to the line protocol's port", who: "network",
			measured: true, play: func(s *scene) { s.silent(func(d *sidecar) string { return d.line }) }},
		{name: "unknown names", what: "a flood of questions about names that nobody knows, while landmarkd restarts", who: "network", play: unknownNames},
	}
}

// silent fills a listener with connections that say nothing. landmarkd may have
// few descriptors in the short form, so that few connections fill it.
func (s *scene) silent(target func(d *sidecar) string) {
	s.prepare()
	if !s.long {
		s.sidecar.files = 512
	}
	s.boot()
	s.pair()
	s.director(nil, "well", "wedged")
	s.settle("well", healthy)
	s.attack("silent", target(s.sidecar), stranger)
	s.last(time.Second, 5*time.Second)

	// Who comes now must be let in.
	late, err := os.MkdirTemp(s.dir, "late")
	s.must(err)
	s.must(os.WriteFile(filepath.Join(late, "well"), []byte("0\n"), 0o644))
	s.landmarkWatch(late, nil, "well")
	s.checkers.read(late, "well")
	s.last(4*time.Second, 10*time.Second) // silence is out after 3 s
}

// unknownNames restarts landmarkd under a flood of questions that it must hold.
func unknownNames(s *scene) {
	s.usual()
	s.attack("unknown names", s.sidecar.monitor, stranger)
	rounds := 3
	if s.long {
		rounds = 8
	}
	for range rounds {
		s.last(300*time.Millisecond, 300*time.Millisecond)
		// While it is away programs come to dial it seldom.
		s.away(func() {
			s.sidecar.end()
			time.Sleep(1500 * time.Millisecond)
			s.must(s.sidecar.start())
		})
		s.last(1500*time.Millisecond, 1500*time.Millisecond)
	}
}

// holdSilentConnections holds more connections than any listener may have.
func holdSilentConnections(ctx context.Context, target string) error {
	return each(ctx, 4500, func(ctx context.Context, _ int) { hold(ctx, target, "") })
}

// hold connects, says so much, and reads until the other end closes.
func hold(ctx context.Context, target, says string) {
	conn, err := dialForeign(ctx, target)
	if err != nil {
		time.Sleep(500 * time.Millisecond)
		return
	}
	defer conn.Close()
	io.WriteString(conn, says)
	io.Copy(io.Discard, conn)
}

// askForUnknownNames asks by UDP, for another name each time, and reads nothing.
func askForUnknownNames(ctx context.Context, target string) error {
	conn, err := net.Dial("udp", target)
	if err != nil {
		return err
	}
	defer conn.Close()
	for n := 0; ctx.Err() == nil; n++ {
		b, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindCheck, Service: fmt.Appendf(nil, "nobody%d%s", n, strings.Repeat("x", n%50))}, nil)
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
