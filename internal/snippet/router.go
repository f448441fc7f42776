package snippet

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"slices"
)

// router is a router that sends clients to a service while its BFD session with
// landmarkd is Up.
type router struct {
	bfdTimes
	template string
	Service  service
	Virtual  address
	Real     addresses
	Router   address
}

func (r *router) Flags(flags *flag.FlagSet) {
	r.Service.flag(flags)
	flags.Var(&r.Virtual, "virtual", "the `ADDRESS` that clients connect to: the router has a route to it")
	flags.Var(&r.Real, "real", "a real server's `ADDRESS` on the router's link; give one for each")
	flags.Var(&r.Router, "router", "this router's `ADDRESS` on that link")
}

func (r *router) Configuration() (string, error) {
	if err := r.validate(); err != nil {
		return "", err
	}
	return write(r.template, r)
}

func (r *router) validate() error {
	if err := r.Service.validate(); err != nil {
		return err
	}
	switch {
	case !r.Virtual.IsValid():
		return errors.New("where do clients connect to? Give -virtual ADDRESS")
	case len(r.Real) == 0:
		return errors.New("which real servers? Give -real ADDRESS for each")
	case !r.Router.IsValid():
		return errors.New("which address does the router send from? Give -router ADDRESS")
	case r.Virtual == r.Router:
		return fmt.Errorf("-virtual %s is the router's own address", &r.Virtual)
	case slices.Contains(r.Real, r.Virtual.Addr):
		return fmt.Errorf("-virtual %s is a real server's own address: the route leads to it there", &r.Virtual)
	case r.Virtual.Is4() != r.Router.Is4():
		return fmt.Errorf("-virtual %s and -router %s are not both IPv4 or both IPv6", &r.Virtual, &r.Router)
	}
	return validateSessions("router", r.Router, r.Real)
}

// Warnings implements Program.
func (r *router) Warnings() []string { return nil }

// The methods from here on are for the template.

// Peer returns the address that is the peer in landmarkd's configuration.
func (r *router) Peer() netip.Addr { return r.Router.Addr }

// Hosts returns the addresses of the real servers.
func (r *router) Hosts() []netip.Addr { return r.Real }

// Family returns BIRD's word for the family of the route.
func (r *router) Family() string {
	if r.Virtual.Is6() {
		return "ipv6"
	}
	return "ipv4"
}

// Command returns FRR's command for a static route.
func (r *router) Command() string {
	if r.Virtual.Is6() {
		return "ipv6 route"
	}
	return "ip route"
}

// Prefix returns the virtual address as a prefix.
func (r *router) Prefix() netip.Prefix {
	return netip.PrefixFrom(r.Virtual.Addr, r.Virtual.BitLen())
}
