package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/probe"
)

// dialFunc connects to the program of a check.
type dialFunc func(context.Context, *probe.Check) (net.Conn, error)

// dialer connects to programs.
type dialer struct {
	lookUp func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// addresses returns the addresses of this host.
	addresses func() ([]net.Addr, error)
}

func newDialer() dialer {
	// The resolver in Go obeys ctx. That of libc holds a thread for as long as it hangs.
	resolver := &net.Resolver{PreferGo: true}
	return dialer{lookUp: resolver.LookupNetIP, addresses: net.InterfaceAddrs}
}

// dial connects to the program of the check.
func (d dialer) dial(ctx context.Context, c *probe.Check) (net.Conn, error) {
	connect := func(address string) (net.Conn, error) {
		return (&net.Dialer{KeepAlive: -1}).DialContext(ctx, string(c.Network), address)
	}
	if c.Network == probe.Unix {
		return connect(c.Address)
	}
	// The resolver's sockets obey a deadline, not the end of ctx.
	resolving, cancel := context.WithTimeout(ctx, c.Within)
	addresses, err := d.resolve(resolving, c.Address)
	cancel()
	if err != nil {
		return nil, &ownError{err}
	}
	var conn net.Conn
	for _, a := range addresses {
		conn, err = connect(a.String())
		switch {
		case err != nil:
		case conn.LocalAddr().String() == conn.RemoteAddr().String():
			// Nothing is bound there, and this socket got that port: it would receive what
			// it sends.
			conn.Close()
			err = unix.ECONNREFUSED
		default:
			return conn, nil
		}
	}
	return nil, err
}

// resolve returns the addresses of HOST:PORT, IPv4 before IPv6. A name must be one of
// this host: the server that answers the lookup must not choose where landmarkd connects to.
func (d dialer) resolve(ctx context.Context, address string) ([]netip.AddrPort, error) {
	if literal, err := netip.ParseAddrPort(address); err == nil {
		return []netip.AddrPort{literal}, nil
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil {
		return nil, err
	}
	found, err := d.lookUp(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolving its name: %w", err)
	}
	var all []netip.AddrPort
	for _, a := range found {
		a = a.Unmap()
		if err := d.checkLocal(host, a); err != nil {
			return nil, err
		}
		all = append(all, netip.AddrPortFrom(a, uint16(port)))
	}
	if len(all) == 0 {
		return nil, errors.New("the name has no address")
	}
	slices.SortStableFunc(all, func(a, b netip.AddrPort) int { return a.Addr().BitLen() - b.Addr().BitLen() })
	return all, nil
}

// checkLocal returns an error unless the address, which the name resolves to, is one of
// this host.
func (d dialer) checkLocal(name string, a netip.Addr) error {
	if a.IsLoopback() {
		return nil
	}
	own, err := d.addresses()
	if err != nil {
		return fmt.Errorf("reading the addresses of this host: %w", err)
	}
	for _, o := range own {
		if p, err := netip.ParsePrefix(o.String()); err == nil && p.Addr().Unmap() == a.WithZone("") {
			return nil
		}
	}
	return fmt.Errorf("%s resolves to %v, which is not an address of this host: write the address itself if you mean that", name, a)
}
