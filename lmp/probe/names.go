package probe

import (
	"context"
	"errors"
	"net"
	"time"
)

// maxLookup is how long one lookup of a name may take. With the defaults of
// resolv.conf(5) it takes 10 s where two name servers are down before the one that
// answers.
const maxLookup = 30 * time.Second

// errLookup is the error while a lookup has not ended.
var errLookup = errors.New("the name server does not answer")

// names looks up the addresses of a Watch's server and remembers them, so that a name
// server that is slow or down does not take a healthy server out. It is for one
// goroutine.
type names struct {
	find    func(ctx context.Context) ([]string, error)
	known   []string     // what the latest lookup found, nil if there was none
	pending chan foundIn // has the result of the lookup that was begun, nil if none was
}

// foundIn is the result of a lookup.
type foundIn struct {
	addresses []string
	err       error
}

// addresses looks the addresses up. If that fails, or takes longer than patience, it
// returns those that were found before. A slow lookup continues, until ctx ends at the
// latest, and a later call takes its result. That the name does not exist is an
// answer, and an error.
func (n *names) addresses(ctx context.Context, patience time.Duration) ([]string, error) {
	n.begin(ctx)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	err := errLookup
	select {
	case r := <-n.pending:
		n.take(r)
		if err = r.err; err == nil {
			return n.known, nil
		}
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if dns := (*net.DNSError)(nil); n.known == nil || errors.As(err, &dns) && dns.IsNotFound {
		return nil, err
	}
	return n.known, nil
}

// begin begins a lookup unless one is under way.
func (n *names) begin(ctx context.Context) {
	select {
	case r := <-n.pending:
		n.take(r) // and looks up what it is now
	default:
	}
	if n.pending != nil {
		return
	}
	pending := make(chan foundIn, 1)
	n.pending = pending
	go func() {
		ctx, cancel := context.WithTimeout(ctx, maxLookup)
		defer cancel()
		addresses, err := n.find(ctx)
		pending <- foundIn{addresses, err}
	}()
}

// take takes the result of the lookup that was under way.
func (n *names) take(r foundIn) {
	n.pending = nil
	if r.err == nil {
		n.known = r.addresses
	}
}
