package snippet

import (
	"flag"
	"fmt"
)

// The most that LVS takes.
const (
	maxWeight      = 253 // as an exit code of landmark-check can say it
	maxPersistence = 31 * 24 * 3600
)

// lvs is what a daemon is told that keeps the kernel's table of virtual servers.
type lvs struct {
	balancing
	Weight      int
	Scheduler   choice
	Persistence int // in seconds, 0 for none
}

func (l *lvs) flags(flags *flag.FlagSet) {
	l.balancing.flags(flags)
	l.Scheduler.of = []string{"rr", "wrr", "lc", "wlc", "sh", "mh", "dh", "fo", "ovf", "sed", "nq"}
	flags.IntVar(&l.Weight, "weight", 1, "each real server's `WEIGHT` when it has its whole capacity, of 1 to 253")
	flags.Var(&l.Scheduler, "scheduler", "the `NAME` of the kernel's scheduler (default wrr if there are weights, else rr)")
	flags.IntVar(&l.Persistence, "persistence", 0, "send a client's connections to the same real server for this many `SECONDS` after the last; 0 for not")
}

func (l *lvs) check() error {
	if err := l.balancing.check(); err != nil {
		return err
	}
	if l.Weight < 1 || l.Weight > maxWeight {
		return fmt.Errorf("-weight %d is not between 1 and %d", l.Weight, maxWeight)
	}
	if l.Persistence < 0 || l.Persistence > maxPersistence {
		return fmt.Errorf("-persistence %d is not between 0 and %d seconds", l.Persistence, maxPersistence)
	}
	if !ofOneMachine(l.Virtual.Addr()) {
		return fmt.Errorf("-virtual %s is no address of its own, and LVS has no other", &l.Virtual)
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

// checkDirect returns an error if a real server that is not reached by address
// translation has another port than the virtual one, which then nothing would
// translate.
func (l *lvs) checkDirect(forward string) error {
	for _, r := range l.Real {
		if r.Port() != l.Virtual.Port() {
			return fmt.Errorf("-real %s has another port than -virtual %s, and -forward %s does not translate it", r, &l.Virtual, forward)
		}
	}
	return nil
}
