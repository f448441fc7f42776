package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// linkPrefix is the first part of the name of a link for ldirectord. The name of the
// service follows it.
const linkPrefix = "ldirectord-"

// parseLdirectord parses the arguments that ldirectord gives to an external check: the
// address of the virtual server, or its firewall mark, and its port, then the address and
// port of the real server. That port is the program's, so the check goes to LMP's.
func parseLdirectord(service string, args []string) (check, error) {
	if service == "" {
		return check{}, fmt.Errorf("the link's name has no service: name it %sSERVICE", linkPrefix)
	}
	if len(args) < 3 || args[2] == "" {
		return check{}, fmt.Errorf("%s%s is for ldirectord to run, with the real server as the third argument", linkPrefix, service)
	}
	host := strings.Trim(args[2], "[]") // IPv6 addresses may have brackets
	return check{
		request: probe.Request{
			Network: "udp",
			Address: net.JoinHostPort(host, strconv.Itoa(lmp.Port)),
			Service: service,
		},
		timeout: defaultTimeout, // ldirectord kills a check at its checktimeout, in whole seconds
		mode:    mode{lmp.KindCheck, ldirectordCode, line},
	}, nil
}

// ldirectordCode returns the exit codes of ldirectord's external check: 0 is up.
func ldirectordCode(a lmp.Answer, err error) int {
	if err != nil || a.Status != lmp.StatusServing {
		return 1
	}
	return 0
}
