package guard

import "google.golang.org/grpc/mem"

// Awaiter is a connection that can wait without a buffer until there is something to read.
type Awaiter interface {
	// AwaitReadable returns once the next Read need not wait, or with the error that
	// Read would return. The goroutine that reads calls it.
	AwaitReadable() error
}

// awaitingConn is a guarded connection that holds no buffer while nothing arrives. Of a
// thousand connections on which little arrives, their buffers would be a good part of all
// memory.
type awaitingConn struct {
	*conn
	below Awaiter // the connection below
}

// ReadOnReady returns what one Read reads, in a buffer of the pool. gRPC reads with it from
// connections that have it (its package internal/transport/readyreader).
func (c awaitingConn) ReadOnReady(size int, pool mem.BufferPool) (*[]byte, int, error) {
	if err := c.below.AwaitReadable(); err != nil {
		return nil, 0, err
	}
	buffer := pool.Get(size)
	n, err := c.conn.Read(*buffer)
	if err != nil {
		pool.Put(buffer)
		return nil, 0, err
	}
	return buffer, n, nil
}
