package main

import (
	"context"
	"errors"
	"net"
	"time"
)

const (
	// maxConnections bounds what clients can make the server hold, however
	// long its loop hangs.
	maxConnections = 4000
	// patience is how long a request waits for the main loop.
	patience = 5 * time.Second
	// idle is how long a connection may have nothing to ask.
	idle = 5 * time.Minute
)

// serve accepts connections until the listener is closed. It only carries
// requests to the main loop and answers back. While there are as many
// connections as there may be, it hangs up on newcomers.
func serve(listener net.Listener, questions chan<- question) error {
	places := make(chan struct{}, maxConnections)
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			time.Sleep(50 * time.Millisecond) // out of descriptors, most likely
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		go func() {
			defer func() { conn.Close(); <-places }()
			converse(conn, questions)
		}()
	}
}

// converse answers the requests of one connection until it ends.
func converse(conn net.Conn, questions chan<- question) {
	for {
		conn.SetDeadline(time.Now().Add(idle))
		q, err := readRequest(conn)
		if err != nil {
			return
		}
		p, err := ask(questions, q)
		if err != nil {
			return
		}
		if _, err := conn.Write(appendAnswer(nil, p)); err != nil {
			return
		}
	}
}

// ask puts a request to the main loop and waits for its answer.
func ask(questions chan<- question, q request) (*programme, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer := make(chan *programme, 1)
	select {
	case questions <- question{q, answer}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case p := <-answer:
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
