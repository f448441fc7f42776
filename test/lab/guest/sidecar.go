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

// verdictInterval lies between two questions to a sidecar whose answers are journaled.
const verdictInterval = 100 * time.Millisecond

// The monitoring protocol as a director has it: hexadecimal digits that somebody pasted.
const (
	// lmpCheck is a CHECK about the service "epg", with a nonce of zeros.
	lmpCheck = "4C4D010100000025000000000000000000000000000000000000000000000000" + "0103657067"

	// lmpServing is how a serving answer to a CHECK begins, and no other.
	lmpServing = "4C4D018101"

	// lmpAnswer is how an answer to a CHECK begins. A status follows, and a cause.
	lmpAnswer = "4C4D0181"

	lmpPort  = "19533"
	linePort = "19536"
)

// askSidecar asks the server's sidecar once and returns what it says: Serving or the cause of what is not. It is an error
// if no answer comes within the limit. It asks from the server itself: a host answers a client of a closed port only six
// times in a row and then once a second (icmp_ratelimit), so questions from the director would leave keepalived without.
func (s *realServer) askSidecar(limit time.Duration) (says string, err error) {
	err = s.enter(func() error {
		conn, err := net.Dial("udp4", net.JoinHostPort(s.address, lmpPort))
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(limit))
		if _, err := conn.Write(unhex(lmpCheck)); err != nil {
			return err
		}
		answer := make([]byte, 64)
		n, err := conn.Read(answer)
		if err != nil {
			return err
		}
		if n < 32 || !bytes.HasPrefix(answer[:n], unhex(lmpAnswer)) {
			return fmt.Errorf("no answer but % x", answer[:n])
		}
		says = verdict(answer[4], answer[5])
		return nil
	})
	return says, err
}

// verdict names a status and cause of the protocol as the journal does.
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

// watchSidecar asks the server's sidecar all the time, and journals every change of what it says, until the context ends.
func (l *laboratory) watchSidecar(s *realServer) {
	l.background(func(ctx context.Context) error {
		tick := time.NewTicker(verdictInterval)
		defer tick.Stop()
		said, before := "", l.journal.Now()
		for {
			asked := l.journal.Now()
			says, _ := s.askSidecar(l.pace.Patience) // no answer is a change too
			if says != said {
				l.journal.Verdict(journal.Verdict{Server: string(s.namespace), Says: says, Before: before, Asked: asked, At: l.journal.Now()})
			}
			said, before = says, asked
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
