package snippet

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/bfd"
)

// bfdTimes are landmarkd's defaults for a BFD session, for the other side's template.
type bfdTimes struct{}

func (bfdTimes) BFDInterval() time.Duration { return bfd.DefaultInterval }

func (bfdTimes) BFDMultiplier() int { return bfd.DefaultMultiplier }

// BFDSilence returns after what time without a packet a session ends.
func (bfdTimes) BFDSilence() time.Duration { return bfd.DefaultMultiplier * bfd.DefaultInterval }

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
