package snippet

import (
	"flag"
	"fmt"

	limits "github.com/landmark-health/landmark/internal/keepalived"
)

// maxPersistence is the longest persistence that LVS takes, in seconds.
const maxPersistence = 31 * 24 * 3600

// lvs is a balancer by a daemon that keeps the kernel's table of virtual servers.
type lvs struct {
	balancer
	Weight      int
	Scheduler   choice
	Persistence int // in seconds, 0 for none
}

func (l *lvs) flags(flags *flag.FlagSet) {
	l.balancer.flags(flags)
	l.Scheduler.of = []string{"rr", "wrr", "lc", "wlc", "sh", "mh", "dh", "fo", "ovf", "sed", "nq"}
	flags.IntVar(&l.Weight, "weight", 1, "each real server's `WEIGHT` at full capacity, 1 to 253")
	flags.Var(&l.Scheduler, "scheduler", "the `NAME` of the kernel's scheduler (default wrr if there are weights, else rr)")
	flags.IntVar(&l.Persistence, "persistence", 0, "send a client's connections to the same real server for this many `SECONDS` after the last; 0 turns it off")
}

func (l *lvs) validate() error {
	if err := l.balancer.validate(); err != nil {
		return err
	}
	if l.Weight < 1 || l.Weight > limits.MaxWeight {
		return fmt.Errorf("-weight %d is not between 1 and %d", l.Weight, limits.MaxWeight)
	}
	if l.Persistence < 0 || l.Persistence > maxPersistence {
		return fmt.Errorf("-persistence %d is not between 0 and %d seconds", l.Persistence, maxPersistence)
	}
	if !unicast(l.Virtual.Addr()) {
		return fmt.Errorf("-virtual %s is not an address of its own: LVS needs one that clients connect to", &l.Virtual)
	}
	for _, r := range l.Real {
		if r.Addr().Is4() != l.Virtual.Addr().Is4() {
			return fmt.Errorf("-real %s and -virtual %s are not both IPv4 or both IPv6", r, &l.Virtual)
		}
	}
	if l.Scheduler.word == "" {
		l.Scheduler.word = "rr"
		if l.Weight > 1 {
			l.Scheduler.word = "wrr"
		}
	}
	return nil
}

// validatePorts returns an error if a real server has another port than the virtual one.
// Without address translation, nothing translates the port.
func (l *lvs) validatePorts(forward string) error {
	for _, r := range l.Real {
		if r.Port() != l.Virtual.Port() {
			return fmt.Errorf("-real %s has another port than -virtual %s, and -forward %s does not translate it", r, &l.Virtual, forward)
		}
	}
	return nil
}
