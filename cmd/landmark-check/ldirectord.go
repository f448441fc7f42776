package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// linkPrefix begins the name of a link through which ldirectord runs the program;
// the name of the service follows it.
const linkPrefix = "ldirectord-"

// parseLdirectord reads the arguments that ldirectord gives to an external check:
// the virtual server's address, or its firewall mark, and port, then the real
// server's address and port. That port is the service's own, so the sidecar is
// asked at the protocol's.
func parseLdirectord(service string, args []string) (check, error) {
	if service == "" {
		return check{}, fmt.Errorf("the link's name ends in no service; name it %sSERVICE", linkPrefix)
	}
	if len(args) < 3 || args[2] == "" {
		return check{}, fmt.Errorf("%s%s is for ldirectord to run, with the real server as the third argument", linkPrefix, service)
	}
	host := strings.Trim(args[2], "[]") // as an IPv6 address may be written there
	return check{
		question: probe.Request{
			Network: "udp",
			Address: net.JoinHostPort(host, strconv.Itoa(lmp.Port)),
			Service: service,
		},
		timeout: defaultTimeout, // ldirectord kills a check at its checktimeout, of whole seconds
		mode:    mode{lmp.KindCheck, ldirectordCode, line},
	}, nil
}
