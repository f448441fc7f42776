package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

const (
	// pollInterval is the interval at which the IPVS table is read. It is much shorter than most checkers take to take a
	// server out and put it in again, so no change is missed, and long enough for the machine's one processor.
	pollInterval = 50 * time.Millisecond

	// finePollInterval is the interval where milliseconds count.
	finePollInterval = 3 * time.Millisecond
)

// ipvs polls the director's IPVS table.
type ipvs struct {
	file     *os.File
	services map[netip.AddrPort]string // names by virtual address
	servers  map[netip.Addr]string     // names by real server's address
	journal  *journal.Writer
	table    *table
	interval atomic.Int64 // between two readings
}

// openIPVS opens the director's table. It reads only the given services and servers.
func openIPVS(services map[netip.AddrPort]string, servers map[netip.Addr]string, j *journal.Writer, t *table) (*ipvs, error) {
	v := &ipvs{services: services, servers: servers, journal: j, table: t}
	v.interval.Store(int64(pollInterval))
	err := namespace(directorName).enter(func() (err error) {
		// An open file of /proc/net stays with the namespace of the thread that opened it.
		v.file, err = os.Open("/proc/thread-self/net/ip_vs")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening the IPVS table: %w", err)
	}
	return v, nil
}

// watch reads the table until the context ends. It then returns nil.
func (v *ipvs) watch(ctx context.Context) error {
	for {
		if err := v.read(); err != nil {
			return fmt.Errorf("reading the IPVS table: %w", err)
		}
		select {
		case <-time.After(time.Duration(v.interval.Load())):
		case <-ctx.Done():
			return nil
		}
	}
}

func (v *ipvs) read() error {
	if _, err := v.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	entries, err := parseTable(v.file)
	if err != nil {
		return err
	}
	now := v.journal.Now()
	for address, service := range v.services {
		weights := map[string]int{}
		for _, e := range entries {
			if e.service == address {
				weights[v.servers[e.server.Addr()]] = e.weight
			}
		}
		v.table.set(service, weights, now)
	}
	return nil
}

// ipvsConnections returns how many connections the director's kernel has sent to the real server at the address through the
// service, since the server was added to the table. It returns 0 if the server is not in the table.
func ipvsConnections(service netip.AddrPort, server string) (int, error) {
	listing, err := ipvsadm("-L", "-n", "-t", service.String(), "--stats", "--exact")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(listing)) {
		fields := strings.Fields(line)
		if len(fields) > 2 && fields[0] == "->" && fields[1] == fmt.Sprintf("%s:%d", server, service.Port()) {
			return strconv.Atoi(fields[2])
		}
	}
	return 0, nil
}

// ipvsadm runs ipvsadm(8) on the director.
func ipvsadm(arguments ...string) (output []byte, err error) {
	err = namespace(directorName).enter(func() (err error) {
		output, err = exec.Command("ipvsadm", arguments...).CombinedOutput()
		return err
	})
	if err != nil {
		return output, fmt.Errorf("ipvsadm %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return output, nil
}

// tableEntry is one real server of one virtual service.
type tableEntry struct {
	service, server netip.AddrPort
	weight          int
}

// parseTable parses /proc/net/ip_vs: three lines of headings, then a line for each virtual service, followed by its real
// servers, with IPv4 addresses and ports in hexadecimal. It returns only TCP services.
//
//	TCP  C0000250:1518 rr
//	  -> C633640B:1518      Masq    1      0          12
func parseTable(r io.Reader) ([]tableEntry, error) {
	var entries []tableEntry
	var service netip.AddrPort // the zero AddrPort while the lines are not of a TCP service
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		var err error
		switch {
		case fields[0] == "TCP":
			service, err = parseHexAddrPort(fields[1])
		case fields[0] != "->":
			service = netip.AddrPort{}
		case service.IsValid() && len(fields) >= 4:
			e := tableEntry{service: service}
			if e.server, err = parseHexAddrPort(fields[1]); err == nil {
				e.weight, err = strconv.Atoi(fields[3])
			}
			entries = append(entries, e)
		}
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", lines.Text(), err)
		}
	}
	return entries, lines.Err()
}

// parseHexAddrPort parses an IPv4 address and port, as in "C0000250:1518".
func parseHexAddrPort(text string) (netip.AddrPort, error) {
	var address [4]byte
	var port uint16
	if _, err := fmt.Sscanf(text, "%02X%02X%02X%02X:%04X", &address[0], &address[1], &address[2], &address[3], &port); err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q: %w", text, err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(address), port), nil
}
