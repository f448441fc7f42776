package probe

import (
	"context"
	"errors"
	"net"
)

// dialer connects to whom a question is for.
type dialer struct{ network, address string }

// dial returns a connection on which all that waits ends with ctx, and close,
// which must be called.
func (d dialer) dial(ctx context.Context) (conn net.Conn, close func(), err error) {
	conn, err = new(net.Dialer).DialContext(ctx, d.network, d.address)
	if err != nil {
		// Whom it dialled is told with all that Ask returns.
		if op := (*net.OpError)(nil); errors.As(err, &op) {
			err = op.Err
		}
		if ctx.Err() != nil {
			err = gaveUp(ctx, err)
		}
		return nil, nil, err
	}
	// Closing is what ends the reads when ctx is cancelled before its deadline.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return conn, func() { stop(); conn.Close() }, nil
}
