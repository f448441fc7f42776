package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// verdictInterval is the interval of the checks of a sidecar whose answers are journaled.
const verdictInterval = 100 * time.Millisecond

// LMP as a director's configuration has it: hexadecimal digits.
const (
	// lmpCheck is a CHECK of the service "epg", with a nonce of zeros.
	lmpCheck = "4C4D010100000025000000000000000000000000000000000000000000000000" + "0103657067"

	// lmpServing is the beginning of a serving answer to a CHECK, and of no other.
	lmpServing = "4C4D018101"

	// lmpAnswer is the beginning of an answer to a CHECK. Status and cause follow.
	lmpAnswer = "4C4D0181"

	lmpPort  = "19533"
	linePort = "19536"
	gatePort = "15400"
)

// checkSidecar checks the server's sidecar once and returns its answer: journal.Serving, or the cause. No answer within the
// timeout is an error. It checks from the server itself: a host answers a client of a closed port only six times in a row
// and then once a second (icmp_ratelimit), so checks from the director would leave none for keepalived.
func (s *realServer) checkSidecar(timeout time.Duration) (answer string, err error) {
	err = s.enter(func() error {
		conn, err := net.Dial("udp4", net.JoinHostPort(s.address, lmpPort))
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(timeout))
		if _, err := conn.Write(unhex(lmpCheck)); err != nil {
			return err
		}
		got := make([]byte, 64)
		n, err := conn.Read(got)
		if err != nil {
			return err
		}
		if n < 32 || !bytes.HasPrefix(got[:n], unhex(lmpAnswer)) {
			return fmt.Errorf("got % x, want an answer to a CHECK", got[:n])
		}
		answer = verdict(got[4], got[5])
		return nil
	})
	return answer, err
}

// verdict returns the journal's name of a status and cause of LMP.
func verdict(status, cause byte) string {
	causes := map[byte]string{2: journal.Stalled, 4: journal.Lost, 6: journal.Draining}
	switch {
	case status == 1:
		return journal.Serving
	case causes[cause] != "":
		return causes[cause]
	}
	return fmt.Sprintf("status %d, cause %d", status, cause)
}

// watchSidecar checks the server's sidecar at an interval and journals every change of its answer, until the scenario ends.
func (l *lab) watchSidecar(s *realServer) {
	l.background(func(ctx context.Context) error {
		tick := time.NewTicker(verdictInterval)
		defer tick.Stop()
		last, lastBegan := "", l.journal.Now()
		for {
			began := l.journal.Now()
			answer, _ := s.checkSidecar(l.speed.Timeout) // "" = no answer
			if answer != last {
				l.journal.Verdict(journal.Verdict{Server: string(s.namespace), Answer: answer, LastBegan: lastBegan, Began: began, At: l.journal.Now()})
			}
			last, lastBegan = answer, began
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// unhex returns the bytes of one of the constants above.
func unhex(digits string) []byte {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	return b
}
