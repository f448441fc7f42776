package socket

import (
	"context"
	"net"
	"sync"
	"time"
)

const (
	// FrameTimeout is how long a request may take to arrive whole once it has begun,
	// and how long the peer may take to receive an answer.
	FrameTimeout = 5 * time.Second
	// IdleTimeout is how long a connection may stay open without a request.
	IdleTimeout = 5 * time.Minute
)

// Serve calls serve for each connection, each in its own goroutine, until l.Accept
// returns an error. It returns when all these calls have returned. A listener from
// RetryAccept returns an error only once it is closed. The caller closes l, and
// serve closes the connection.
func Serve(ctx context.Context, l net.Listener, serve func(context.Context, net.Conn)) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		open.Go(func() { serve(ctx, conn) })
	}
}

// InterruptOnDone makes Read and Write on the connection fail once ctx is done,
// until release is called.
func InterruptOnDone(ctx context.Context, conn net.Conn) (release func() bool) {
	return context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(0, 0)) })
}

// Read reads the next bytes from the connection, and waits for them until the
// deadline. The connection must be under InterruptOnDone. Read returns an error
// only if it read nothing.
func Read(ctx context.Context, conn net.Conn, b []byte, deadline time.Time) (int, error) {
	conn.SetReadDeadline(deadline)
	if ctx.Err() != nil { // this deadline may have replaced the one that InterruptOnDone set
		return 0, ctx.Err()
	}
	n, err := conn.Read(b)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// Write writes all of b to the connection, whose peer must receive it within
// FrameTimeout. The connection must be under InterruptOnDone.
func Write(ctx context.Context, conn net.Conn, b []byte) error {
	conn.SetWriteDeadline(time.Now().Add(FrameTimeout))
	if ctx.Err() != nil { // this deadline may have replaced the one that InterruptOnDone set
		return ctx.Err()
	}
	_, err := conn.Write(b)
	return err
}
