package main

import (
	"fmt"
	"net"
	"time"
)

// clientTimeout is how long the client waits for a programme in total.
const clientTimeout = time.Second

// fetch gets the current programme of channel 1 from the server at the address.
func fetch(address string) (programme, error) {
	deadline := time.Now().Add(clientTimeout)
	conn, err := net.DialTimeout("tcp", address, clientTimeout)
	if err != nil {
		return programme{}, err
	}
	defer conn.Close()
	conn.SetDeadline(deadline)
	if _, err := conn.Write(appendRequest(nil, request{channel: 1, at: time.Now()})); err != nil {
		return programme{}, fmt.Errorf("sending request: %w", err)
	}
	return readAnswer(conn)
}

// String returns the programme as a printed guide shows it.
func (p programme) String() string {
	return fmt.Sprintf("%s-%s %s", p.start.Format("15:04"), p.start.Add(p.duration).Format("15:04"), p.title)
}
