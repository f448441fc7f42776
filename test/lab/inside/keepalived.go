package main

import (
	"fmt"
	"os"
	"strings"
)

// keepalivedService is a virtual service as keepalived is told it.
type keepalivedService struct {
	virtualService
	loop    string // how often each real server is checked, in seconds
	checker string // the checker block, the same for every real server
}

// udpChecker asks the sidecar of the real server about the service "epg" by one LMP CHECK, twice guarded: the answer must
// begin as only a serving one does, and it must have exactly an unsigned answer's length, because keepalived takes an
// empty datagram for a match. The retries, journal.Patience in all, outlast a restart of the sidecar, during which its port is closed;
// its held answer comes within connect_timeout. They are also what a real failure waits for.
const udpChecker = `UDP_CHECK {
      connect_port ` + lmpPort + `
      connect_timeout 3
      retry 12
      delay_before_retry 0.25
      payload ` + lmpCheck + `
      require_reply ` + lmpServing + `
      min_reply_length 32
      max_reply_length 32
    }`

// tcpChecker is what most balancers do: it opens a connection to the service's own port, and asks nothing.
const tcpChecker = `TCP_CHECK {
      connect_timeout 1
      retry 1
      delay_before_retry 0.1
    }`

// keepalivedConfiguration balances each service over the real servers by address translation. alpha keeps a real server
// out until its first check has passed.
func keepalivedConfiguration(services []keepalivedService, servers []*realServer) string {
	var c strings.Builder
	c.WriteString("global_defs {\n  router_id lab\n}\n")
	for _, v := range services {
		fmt.Fprintf(&c, "virtual_server %s %d {\n", v.address, epgPort)
		fmt.Fprintf(&c, "  delay_loop %s\n  alpha\n  lb_algo rr\n  lb_kind NAT\n  protocol TCP\n", v.loop)
		for _, s := range servers {
			fmt.Fprintf(&c, "  real_server %s %d {\n    weight 1\n    %s\n  }\n", s.address, epgPort, v.checker)
		}
		c.WriteString("}\n")
	}
	return c.String()
}

// startKeepalived runs Debian's keepalived, its checkers alone, on the director.
func (l *laboratory) startKeepalived(services ...keepalivedService) error {
	const path = "/run/keepalived.conf"
	if err := os.WriteFile(path, []byte(keepalivedConfiguration(services, l.servers())), 0o644); err != nil {
		return fmt.Errorf("writing keepalived's configuration: %w", err)
	}
	_, err := l.director.start("keepalived", nil, "keepalived",
		"--check", "--dont-fork", "--log-console", "--log-detail", "--use-file", path)
	return err
}
