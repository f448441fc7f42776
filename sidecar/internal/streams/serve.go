package streams

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Serve hands each connection that comes to serve, on a goroutine of its own,
// until l is closed or ctx is done, and returns once all of them have ended.
// To close l, and each connection, is left to others.
func Serve(ctx context.Context, l net.Listener, serve func(context.Context, net.Conn)) {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// Out of descriptors, most likely: trying at once would spin.
			select {
			case <-ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		open.Go(func() { serve(ctx, conn) })
	}
}
