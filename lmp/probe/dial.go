package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// dialer finds the addresses of one server.
type dialer struct {
	network, address string
	resolver         *net.Resolver // nil is the system's
}

// addresses returns HOST:PORT for each address of the host, the preferred one first,
// at most maxAddresses. It does not look up a host that is an address.
func (d dialer) addresses(ctx context.Context) ([]string, error) {
	host, port, err := net.SplitHostPort(d.address)
	if err != nil {
		return nil, err
	}
	if isLiteral(host) {
		return []string{d.address}, nil
	}
	ips, err := d.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		if ctx.Err() != nil {
			err = timeoutError(ctx, err)
		}
		return nil, err
	}
	var all []string
	for _, ip := range ips[:min(len(ips), maxAddresses)] {
		all = append(all, net.JoinHostPort(ip.Unmap().String(), port))
	}
	return all, nil
}

// isLiteral reports whether the host is an IP address, or empty for this host.
func isLiteral(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == ""
}

// MaxConnections returns how many connections to HOST:PORT one [Do] or [Watch] may
// open at the same time: 1 for an IP address, 8 for a name, which may have that many.
func MaxConnections(address string) int {
	if host, _, err := net.SplitHostPort(address); err == nil && isLiteral(host) {
		return 1
	}
	return maxAddresses
}

// dial connects to one address. Reads and writes on the connection fail once ctx is
// done. The caller must call close.
func dial(ctx context.Context, network, address string) (conn net.Conn, close func(), err error) {
	conn, err = new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		// Do's error has the address already.
		if op := (*net.OpError)(nil); errors.As(err, &op) {
			err = op.Err
		}
		if ctx.Err() != nil {
			err = timeoutError(ctx, err)
		}
		return nil, nil, err
	}
	// Closing interrupts the reads when ctx is cancelled before its deadline.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return conn, func() { stop(); conn.Close() }, nil
}
