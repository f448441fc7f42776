package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// wildcards keeps programs of other users from the ports of gates with one address.
//
// A program that has bound the wildcard address of the other family with SO_REUSEPORT can
// also listen at the wildcard of both: Linux then compares it with its own socket alone,
// and not with that of the gate. A connection to a closed gate would reach that program.
// So the wildcard of the other family is bound here, and never listens. Its methods are
// safe for concurrent use.
type wildcards struct {
	mu    sync.Mutex
	bound map[netip.AddrPort]*wildcard // guarded by mu
}

// wildcard is a wildcard address that is bound in its own family alone.
type wildcard struct {
	fd    int // -1 if the host does not have the family
	gates int // that need it
}

// take binds the address, if it is valid and not bound yet. If it succeeds, release must
// follow.
func (w *wildcards) take(address netip.AddrPort) error {
	if !address.IsValid() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.bound[address]; b != nil {
		b.gates++
		return nil
	}
	fd, _, err := bindSocket(familyOf(address))
	switch {
	case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EADDRNOTAVAIL):
		fd = -1
	case err != nil:
		return fmt.Errorf("%v, which the gate needs too: %w", address, err)
	}
	if w.bound == nil {
		w.bound = make(map[netip.AddrPort]*wildcard)
	}
	w.bound[address] = &wildcard{fd: fd, gates: 1}
	return nil
}

// familyOf returns what binds the wildcard address in its own family alone.
func familyOf(address netip.AddrPort) (family int, a unix.Sockaddr, oneFamily bool) {
	if address.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(address.Port())}, true
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(address.Port())}, true
}

// release undoes take.
func (w *wildcards) release(address netip.AddrPort) {
	if !address.IsValid() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.bound[address]
	if b.gates--; b.gates > 0 {
		return
	}
	delete(w.bound, address)
	if b.fd >= 0 {
		unix.Close(b.fd)
	}
}

// wildcardOf returns the wildcard address that must be bound for a gate at the address: that
// of the family that the address does not have. It is invalid for all addresses, which are
// of both families.
func wildcardOf(address netip.AddrPort) netip.AddrPort {
	switch ip := address.Addr(); {
	case ip.IsUnspecified():
		return netip.AddrPort{}
	case ip.Is4():
		return netip.AddrPortFrom(netip.IPv6Unspecified(), address.Port())
	default:
		return netip.AddrPortFrom(netip.IPv4Unspecified(), address.Port())
	}
}
