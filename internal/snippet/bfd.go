package snippet

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/bfd"
)

// bfdTimes are the times of a BFD session, for the templates of both sides. They are
// landmarkd's defaults, except for more time to tolerate silence.
type bfdTimes struct {
	patience time.Duration
}

// setPatience makes the session outlast a silence. A short one changes nothing, so that
// a lost packet does not end the session.
func (t *bfdTimes) setPatience(d time.Duration) error {
	if longest := math.MaxUint8 * bfd.DefaultInterval; d > longest {
		return fmt.Errorf("-patience %v is longer than a BFD session can be silent: give at most %v", d, longest)
	}
	t.patience = d
	return nil
}

func (*bfdTimes) BFDInterval() time.Duration { return bfd.DefaultInterval }

func (t *bfdTimes) BFDMultiplier() int {
	return max(bfd.DefaultMultiplier, int((t.patience+bfd.DefaultInterval-1)/bfd.DefaultInterval))
}

// BFDIsDefault reports whether landmarkd has the BFDMultiplier without configuration.
func (t *bfdTimes) BFDIsDefault() bool { return t.BFDMultiplier() == bfd.DefaultMultiplier }

// BFDSilence returns after what time without a packet a session ends.
func (t *bfdTimes) BFDSilence() time.Duration {
	return time.Duration(t.BFDMultiplier()) * bfd.DefaultInterval
}

// validateSessions returns an error unless a machine can have a BFD session with each
// server. name is the flag of its address.
func validateSessions(name string, own address, servers []netip.Addr) error {
	for _, s := range servers {
		if s.Is4() != own.Is4() || s == own.Addr {
			return fmt.Errorf("-%s %s and -real %s are not two addresses of one kind", name, &own, s)
		}
		for _, a := range []netip.Addr{own.Addr, s} {
			if a.Is6() && a.IsLinkLocalUnicast() {
				return fmt.Errorf("%s is an address of the link only, and landmarkd needs a global one for BFD", a)
			}
		}
	}
	return nil
}
