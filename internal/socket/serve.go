package socket

import (
	"context"
	"net"
	"sync"
)

// Serve hands each connection that comes to serve, on a goroutine of its own,
// until l cannot accept any more, and returns once all of them have ended. An l
// from socket.RetryAccept accepts until it is closed. To close l, and each
// connection, is left to others.
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
