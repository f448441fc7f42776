package socket

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// checkInterval is how often KeepBound checks the socket. Each check wakes up an idle
// landmarkd.
const checkInterval = 5 * time.Second

// KeepBound binds the socket again whenever it is no longer at its path, until ctx
// is done. Otherwise a removed socket would cut off every program that starts from
// then on. KeepBound does not touch another file at the path, or a socket that
// another process listens on; it checks again until that is gone. It returns nil.
func (p *place) KeepBound(ctx context.Context, logger *slog.Logger) error {
	timer := time.NewTimer(untilNextCheck())
	defer timer.Stop()
	logged := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			timer.Reset(untilNextCheck())
		}
		switch restored, err := p.restore(); {
		case err != nil && err.Error() != logged:
			logged = err.Error()
			logger.Error("the socket was removed and cannot be created again", "path", p.path, "err", err)
		case restored:
			logged = ""
			logger.Warn("the socket was removed and has been created again", "path", p.path)
		}
	}
}

// untilNextCheck returns the time until the next check of all sockets: at one instant, so
// that the process wakes up once for all of them.
func untilNextCheck() time.Duration {
	now := time.Now()
	return now.Truncate(checkInterval).Add(checkInterval).Sub(now)
}

// restore binds the socket again if it is not at its path, and reports whether it
// did. It does nothing once the listener is closed.
func (p *place) restore() (restored bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.current
	if before.atPath(p.path) || before.SetDeadline(time.Time{}) != nil { // SetDeadline fails on a closed listener
		return false, nil
	}
	b, err := p.kind.bind(p.path, before)
	if err != nil {
		return false, err
	}
	p.current = b
	if b.lock != before.lock {
		before.lock.Close()
	}
	before.endpoint.Close() // makes Accept continue with the new one
	return true, nil
}

var _ net.Listener = (*Listener)(nil)
