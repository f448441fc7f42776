package probe

import (
	"context"
	"errors"
	"net"
	"time"
)

// maxLookupTime is the timeout of one lookup of a name. With the defaults of
// resolv.conf(5) a lookup takes 10 s if two name servers are down before the one that
// answers.
const maxLookupTime = 30 * time.Second

// errLookupTimeout is the error while a lookup has not ended.
var errLookupTimeout = errors.New("the name server does not answer")

// lookup finds the addresses of a server and remembers them, so that a slow or dead
// name server does not make a healthy server unreachable. It is for one goroutine.
type lookup struct {
	resolve func(ctx context.Context) ([]string, error)
	known   []string          // the addresses that were found last, nil before
	pending chan lookupResult // receives the result of the running lookup, nil if none runs
}

// lookupResult is the result of one call of resolve.
type lookupResult struct {
	addresses []string
	err       error
}

// addresses looks up the addresses. If the lookup fails or takes longer than timeout,
// addresses returns those that were found before. A slow lookup continues, at the
// latest until ctx is done, and a later call uses its result. An answer that the name
// does not exist is an error.
func (l *lookup) addresses(ctx context.Context, timeout time.Duration) ([]string, error) {
	l.start(ctx)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	err := errLookupTimeout
	select {
	case r := <-l.pending:
		l.finish(r)
		if err = r.err; err == nil {
			return l.known, nil
		}
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if dns := (*net.DNSError)(nil); l.known == nil || errors.As(err, &dns) && dns.IsNotFound {
		return nil, err
	}
	return l.known, nil
}

// start starts a lookup unless one is running.
func (l *lookup) start(ctx context.Context) {
	select {
	case r := <-l.pending:
		l.finish(r) // its result may be old: look up again
	default:
	}
	if l.pending != nil {
		return
	}
	pending := make(chan lookupResult, 1)
	l.pending = pending
	go func() {
		ctx, cancel := context.WithTimeout(ctx, maxLookupTime)
		defer cancel()
		addresses, err := l.resolve(ctx)
		pending <- lookupResult{addresses, err}
	}()
}

// finish records the result of the running lookup.
func (l *lookup) finish(r lookupResult) {
	l.pending = nil
	if r.err == nil {
		l.known = r.addresses
	}
}
