package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// dialer connects to the server that a question is for.
type dialer struct {
	network, address string
	resolver         *net.Resolver // nil is the system's
}

// addresses returns HOST:PORT for each address of the host, the preferred one first.
// A host that is an address is not looked up.
func (d dialer) addresses(ctx context.Context) ([]string, error) {
	host, port, err := net.SplitHostPort(d.address)
	if err != nil {
		return nil, err
	}
	if literal(host) {
		return []string{d.address}, nil
	}
	ips, err := d.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		if ctx.Err() != nil {
			err = gaveUp(ctx, err)
		}
		return nil, err
	}
	var all []string
	for _, ip := range ips[:min(len(ips), maxAddresses)] {
		all = append(all, net.JoinHostPort(ip.Unmap().String(), port))
	}
	return all, nil
}

// literal reports whether the host is an address, or empty, which is this host.
func literal(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == ""
}

// Connections returns how many connections to HOST:PORT an Ask or a Watch may have at
// the same time: one for each address that the host may have.
func Connections(address string) int {
	if host, _, err := net.SplitHostPort(address); err == nil && literal(host) {
		return 1
	}
	return maxAddresses
}

// dial returns a connection to one address, on which all that waits ends with ctx,
// and close, which must be called.
func dial(ctx context.Context, network, address string) (conn net.Conn, close func(), err error) {
	conn, err = new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		// The address is in the error that Ask returns.
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
