package socket

import (
	"context"
	"net"
	"time"
)

const (
	// FrameTimeout is how long a question that was begun may take to come whole,
	// and an answer to be taken.
	FrameTimeout = 5 * time.Second
	// IdleTimeout is how long a connection may have nothing to ask.
	IdleTimeout = 5 * time.Minute
)

// InterruptOnDone has the end of ctx end whatever Read or Write waits for on the
// connection, until release is called.
func InterruptOnDone(ctx context.Context, conn net.Conn) (release func() bool) {
	return context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(0, 0)) })
}

// Read reads what comes next from a connection that follows ctx, and waits for
// it until the deadline. It returns an error only if it read nothing.
func Read(ctx context.Context, conn net.Conn, b []byte, deadline time.Time) (int, error) {
	conn.SetReadDeadline(deadline)
	if ctx.Err() != nil { // it may just have put off the deadline that ctx's end set
		return 0, ctx.Err()
	}
	n, err := conn.Read(b)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// Write writes all of b to a connection that follows ctx, to a peer who takes
// it within FrameTimeout.
func Write(ctx context.Context, conn net.Conn, b []byte) error {
	conn.SetWriteDeadline(time.Now().Add(FrameTimeout))
	if ctx.Err() != nil { // it may just have put off the deadline that ctx's end set
		return ctx.Err()
	}
	_, err := conn.Write(b)
	return err
}
