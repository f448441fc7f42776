package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// pollInterval is how often the IPVS table is read: much oftener than any checker here can take a server out and put
// it back in, so that no change goes unseen, yet no oftener than the machine's one processor bears beside its work.
const pollInterval = 50 * time.Millisecond

// table is the director's IPVS table as its kernel has it, read again and again. Every change goes to the journal.
type table struct {
	file     *os.File
	services map[netip.AddrPort]string // names by virtual address
	servers  map[netip.Addr]string     // names by real server's address
	journal  *journal.Writer

	mu sync.Mutex          // guards in
	in map[string][]string // a service's real servers with a weight above 0, sorted
}

// openTable opens the director's table. Only the services and servers that are given names are read.
func openTable(services map[netip.AddrPort]string, servers map[netip.Addr]string, j *journal.Writer) (*table, error) {
	t := &table{services: services, servers: servers, journal: j, in: map[string][]string{}}
	err := namespace(directorName).enter(func() (err error) {
		// An open file of /proc/net stays with the namespace of the thread that opened it.
		t.file, err = os.Open("/proc/thread-self/net/ip_vs")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening the IPVS table: %w", err)
	}
	return t, nil
}

// watch reads the table until the context ends, and returns nil then.
func (t *table) watch(ctx context.Context) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if err := t.read(); err != nil {
			return fmt.Errorf("reading the IPVS table: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (t *table) read() error {
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	entries, err := parseTable(t.file)
	if err != nil {
		return err
	}
	now := t.journal.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for address, service := range t.services {
		var in []string
		for _, e := range entries {
			if e.service == address && e.weight > 0 {
				in = append(in, t.servers[e.server.Addr()])
			}
		}
		slices.Sort(in)
		if slices.Equal(in, t.in[service]) {
			continue
		}
		t.in[service] = in
		t.journal.Table(journal.Table{Service: service, Servers: in, At: now})
	}
	return nil
}

// has tells whether the service has exactly the given servers in.
func (t *table) has(service string, servers []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Equal(t.in[service], servers)
}

// tableEntry is one real server of one virtual service.
type tableEntry struct {
	service, server netip.AddrPort
	weight          int
}

// parseTable reads the text of /proc/net/ip_vs: three lines of headings, then a line for each virtual service, each
// followed by its real servers, with IPv4 addresses and ports in hexadecimal. Only TCP services are returned.
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

// parseHexAddrPort reads an IPv4 address and port as "C0000250:1518".
func parseHexAddrPort(text string) (netip.AddrPort, error) {
	var address [4]byte
	var port uint16
	if _, err := fmt.Sscanf(text, "%02X%02X%02X%02X:%04X", &address[0], &address[1], &address[2], &address[3], &port); err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q: %w", text, err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(address), port), nil
}
