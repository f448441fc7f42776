package main

import (
	"context"
	"errors"
	"net"
	"time"
)

const (
	// maxConnections limits the memory that clients can use while the main loop
	// hangs.
	maxConnections = 4000
	// requestTimeout is how long a request waits for the main loop.
	requestTimeout = 5 * time.Second
	// idleTimeout is how long a connection may wait for its next request.
	idleTimeout = 5 * time.Minute
)

// serve accepts connections until the listener is closed. It only passes requests
// to the main loop and answers to the clients. Beyond maxConnections, it closes
// new connections.
func serve(listener net.Listener, requests chan<- pendingRequest) error {
	slots := make(chan struct{}, maxConnections)
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			time.Sleep(50 * time.Millisecond) // most likely out of file descriptors
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		go func() {
			defer func() { conn.Close(); <-slots }()
			serveConn(conn, requests)
		}()
	}
}

// serveConn answers the requests of one connection until it ends.
func serveConn(conn net.Conn, requests chan<- pendingRequest) {
	for {
		conn.SetDeadline(time.Now().Add(idleTimeout))
		q, err := readRequest(conn)
		if err != nil {
			return
		}
		p, err := ask(requests, q)
		if err != nil {
			return
		}
		if _, err := conn.Write(appendAnswer(nil, p)); err != nil {
			return
		}
	}
}

// ask passes a request to the main loop and waits for its answer.
func ask(requests chan<- pendingRequest, q request) (*programme, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	answer := make(chan *programme, 1)
	select {
	case requests <- pendingRequest{q, answer}:
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
