package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/landmark-health/landmark/test/freeport"
)

// probes is how many probes check the hostile program. A landmarkd with 1,024
// descriptors can have some more.
const probes = 20

// hostileProgram has landmarkd check a program that answers as badly as it can, in many
// probes. None of them may hold, nor delay or change what landmarkd says of others.
func hostileProgram(s *scene) {
	address, err := freeport.Address()
	s.must(err)
	yaml := "services:\n"
	for i := range probes {
		yaml += fmt.Sprintf("  hostile%d: {instances: none, probe: {connect: %q, every: 100ms, within: 1s, steps: [{send: ping}, {expect_regexp: '[a-z]+ [0-9]+ p[o]ng\\n'}]}}\n", i, address)
	}
	s.attack("hostile program", address, attackerUID)
	s.startPair(s.config(yaml)...)
	s.check("hostile0")
	s.setStrict("hostile0", unhealthy)
	s.runFor(2*time.Second, 20*time.Second)
	s.restart()
	s.runFor(2*time.Second, 10*time.Second)
	// Each probe has one connection, and the rest is as without probes.
	const most = 64
	if open := s.sidecar.descriptors(); open > probes+most {
		s.fail("landmarkd has %d open descriptors, want at most %d", open, probes+most)
	}
}

// answerBadly is a program that is checked. It never sends what is expected: it sends
// nothing, closes the connection, sends almost the answer byte by byte, or sends as much
// as it can.
func answerBadly(ctx context.Context, target string) error {
	l, err := net.Listen("tcp", target)
	if err != nil {
		return err
	}
	defer l.Close()
	for n := 0; ctx.Err() == nil; n++ {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			var err error
			switch n % 4 {
			case 0:
				for b := make([]byte, 4096); err == nil; _, err = conn.Read(b) {
				}
			case 1:
			case 2:
				for i := 0; err == nil; i++ {
					_, err = conn.Write([]byte{"pong 1 pang\n"[i%12]})
					time.Sleep(100 * time.Microsecond)
				}
			default:
				for much := bytes.Repeat([]byte("pong 1 pang\n"), 1000); err == nil; _, err = conn.Write(much) {
				}
			}
		}()
	}
	return nil
}
