package snippet

import (
	"errors"
	"flag"
	"net/netip"
	"slices"
)

// balancing is what a balancer is told beyond that: what it balances over what.
type balancing struct {
	asking
	Virtual endpoint
	Real    endpoints
}

func (b *balancing) flags(flags *flag.FlagSet) {
	b.asking.flags(flags)
	flags.Var(&b.Virtual, "virtual", "the `IP:PORT` that clients connect to")
	flags.Var(&b.Real, "real", "a real server's `IP:PORT`; give one for each")
}

func (b *balancing) check() error {
	if err := b.asking.check(); err != nil {
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

// hosts returns the addresses of the real servers, each once: on each there is
// one landmarkd.
func (b *balancing) hosts() []netip.Addr {
	var hosts []netip.Addr
	for _, r := range b.Real {
		if !slices.Contains(hosts, r.Addr()) {
			hosts = append(hosts, r.Addr())
		}
	}
	return hosts
}
