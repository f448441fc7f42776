package main

import (
	"bytes"
	"encoding/hex"
	"net"
	"time"
)

// The monitoring protocol as a director has it: hexadecimal digits that somebody pasted.
const (
	// lmpCheck is a CHECK about the service "epg", with a nonce of zeros.
	lmpCheck = "4C4D010100000025000000000000000000000000000000000000000000000000" + "0103657067"

	// lmpServing is how a serving answer to a CHECK begins, and no other.
	lmpServing = "4C4D018101"

	lmpPort  = "19533"
	linePort = "19536"
)

// askSidecar asks the server's sidecar once and tells whether it says serving. It is an error if no answer comes within the
// limit. It asks from the server itself: a host tells a stranger of a closed port only six times in a row and then once a
// second (icmp_ratelimit), so that to ask from the director would leave keepalived without word.
func (s *realServer) askSidecar(limit time.Duration) (serving bool, err error) {
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
		serving = err == nil && bytes.HasPrefix(answer[:n], unhex(lmpServing))
		return err
	})
	return serving, err
}

// unhex returns the bytes of one of the constants above.
func unhex(digits string) []byte {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	return b
}
