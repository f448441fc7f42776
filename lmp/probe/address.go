package probe

import (
	"fmt"
	"net"
	"strconv"

	"github.com/landmark-health/landmark/lmp"
)

// CheckAddress returns an error that says what to write if nobody can be asked at
// the address: it is not HOST:PORT, with a port from 1 to 65535.
func CheckAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err == nil && host != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("%q is not HOST:PORT: write it as 10.0.0.7:%d or [2001:db8::7]:%d", address, lmp.Port, lmp.Port)
}
