package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// checkLink is the path by which ldirectord runs landmark-check. Its name says which service is asked about, for
// ldirectord passes addresses and ports but no flags.
const checkLink = "/run/ldirectord-epg"

// ldirectordConfiguration balances the service over the real servers by address translation, and lets landmark-check say
// which of them are up. ldirectord counts in whole seconds: 1 is the least that it pauses between two rounds of checks.
// readdquiescent keeps it from putting every real server in for a moment when it starts, before it has asked about any.
func ldirectordConfiguration(service virtualService, servers []*realServer) string {
	var c strings.Builder
	fmt.Fprintf(&c, "checkinterval=1\nchecktimeout=3\nnegotiatetimeout=3\nquiescent=no\nreaddquiescent=yes\nfork=no\nlogfile=\"%s\"\n",
		filepath.Join(logs, "ldirectord"))
	fmt.Fprintf(&c, "virtual=%s\n", service.addrPort())
	for _, s := range servers {
		fmt.Fprintf(&c, "\treal=%s:%d masq\n", s.address, epgPort)
	}
	fmt.Fprintf(&c, "\tprotocol=tcp\n\tscheduler=rr\n\tchecktype=external\n\tcheckcommand=%s\n", checkLink)
	return c.String()
}

// startLdirectord runs Debian's ldirectord on the director, as the package's own start script does. It goes into the
// background by itself. PERLIO is what it would set and then start once more, with all of its Perl.
func (l *laboratory) startLdirectord(service virtualService) error {
	if err := os.Symlink(l.rs1.program("landmark-check"), checkLink); err != nil {
		return fmt.Errorf("naming landmark-check for ldirectord: %w", err)
	}
	const path = "/run/ldirectord.cf"
	if err := os.WriteFile(path, []byte(ldirectordConfiguration(service, l.servers())), 0o644); err != nil {
		return fmt.Errorf("writing ldirectord's configuration: %w", err)
	}
	_, err := l.director.start("ldirectord", append(os.Environ(), "PERLIO=perlio"), "ldirectord", path, "start")
	return err
}
