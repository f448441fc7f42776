package socket

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// checkInterval is how often a kept socket is looked at.
const checkInterval = time.Second

// ActiveWithin looks whether the socket is still at its path until ctx is done, and
// binds it again when it is not: whoever removes it would otherwise cut off every
// program that starts from then on. Another file there, and the socket of another
// process that listens, are left alone, and looked at again until they are gone.
// It returns nil.
func (l *Listener) KeepBound(ctx context.Context, logger *slog.Logger) error {
	every := time.NewTicker(checkInterval)
	defer every.Stop()
	problem := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		switch again, err := l.restore(); {
		case err != nil && err.Error() != problem:
			problem = err.Error()
			logger.Error("the socket is gone and cannot be made again", "path", l.path, "err", err)
		case again:
			problem = ""
			logger.Warn("the socket was gone and has been made again", "path", l.path)
		}
	}
}

// restore binds the socket again if it is gone, and reports whether it did.
func (l *Listener) restore() (again bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.current
	if before.atPath(l.path) || before.SetDeadline(time.Time{}) != nil { // or it was closed
		return false, nil
	}
	b, err := listen(l.path, before)
	if err != nil {
		return false, err
	}
	l.current = b
	if b.lock != before.lock {
		before.lock.Close()
	}
	before.UnixListener.Close() // and Accept goes on with the new one
	return true, nil
}

var _ net.Listener = (*Listener)(nil)
