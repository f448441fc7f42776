package gate

import (
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

// logInterval is the shortest time between two lines about the same failure.
const logInterval = time.Minute

// failureLog counts what fails again and again. It logs at most one failure a minute,
// and the success after it.
type failureLog struct {
	logger *slog.Logger
	count  int       // failures since the last success
	last   time.Time // when a failure was logged
	open   bool      // the success after that was not logged yet
}

// failed counts a failure.
func (l *failureLog) failed(what string, err error) {
	l.count++
	if now := time.Now(); now.Sub(l.last) >= logInterval {
		l.last, l.open = now, true
		l.logger.Warn(what, "failures", l.count, "err", err)
	}
}

// succeeded ends a row of failures, if there is one.
func (l *failureLog) succeeded(what string) {
	if l.open {
		l.open = false
		l.logger.Info(what, "failures", l.count)
	}
	l.count = 0
}

// bindFailure says what a port that cannot be bound means, and what to do.
func bindFailure(err error) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return "another program has the port of the gate and may answer its checkers: stop it, or choose another port; trying again"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "the gate is closed, because its address is not on this host: add it, or choose another; trying again"
	case errors.Is(err, errFamilyForbidden):
		return "the gate is closed, because it needs both IPv4 and IPv6: allow landmarkd AF_INET and AF_INET6 (RestrictAddressFamilies= of its unit, or its seccomp profile); trying again"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "the gate is closed, because this user may not use its port: choose one above 1023; trying again"
	}
	return "the gate is closed, because its port cannot be bound; trying again"
}
