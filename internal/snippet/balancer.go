package snippet

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"slices"
)

// balancer is a load balancer: the address that clients connect to, and its servers.
type balancer struct {
	probe
	Virtual endpoint
	Real    endpoints
}

func (b *balancer) flags(flags *flag.FlagSet) {
	b.probe.flags(flags)
	flags.Var(&b.Virtual, "virtual", "the `IP:PORT` that clients connect to")
	flags.Var(&b.Real, "real", "a real server's `IP:PORT`; give one for each")
}

func (b *balancer) validate() error {
	if err := b.probe.validate(); err != nil {
		return err
	}
	switch {
	case !b.Virtual.IsValid():
		return errors.New("where do clients connect to? Give -virtual IP:PORT")
	case len(b.Real) == 0:
		return errors.New("which real servers? Give -real IP:PORT for each")
	}
	return nil
}

// Warnings implements Program.
func (b *balancer) Warnings() []string { return b.Real.warnings(b.Service) }

// hosts returns the addresses of the real servers, each once. Each has one landmarkd.
func (b *balancer) hosts() []netip.Addr {
	var hosts []netip.Addr
	for _, r := range b.Real {
		if !slices.Contains(hosts, r.Addr()) {
			hosts = append(hosts, r.Addr())
		}
	}
	return hosts
}

// warnings warns of servers with the same address. landmarkd cannot tell them apart: a
// check names the service and not the port.
func (e endpoints) warnings(name service) []string {
	var warnings []string
	for i, a := range e {
		same := func(b netip.AddrPort) bool { return a.Addr() == b.Addr() }
		if j := slices.IndexFunc(e, same); j < i && !slices.ContainsFunc(e[j+1:i], same) { // its second time
			warnings = append(warnings, fmt.Sprintf("-real %s and -real %s get the same check: all programs that report as %s on %s are out together."+
				" To check each by itself, give each a service name and a snippet of its own", e[j], a, name, a.Addr()))
		}
	}
	return warnings
}
