package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// The laboratory's addresses: clients and virtual addresses on one network, real servers on another (both reserved for
// documentation by RFC 5737), the director on both. All are on one switch, so that a scenario can also forward directly.
const (
	directorFront  = "192.0.2.1"
	directorBack   = "198.51.100.1"
	prefixLength   = "/24"
	frontNetwork   = "192.0.2.0" + prefixLength
	directTable    = "100" // the routes of who answers directly
	clientName     = "client"
	directorName   = "director"
	switchName     = "switch"
	interfaceName  = "eth0"
	namespacesPath = "/run/netns"
)

// namespace is a network namespace by its name: one host of the laboratory.
type namespace string

// host is what the network gives a namespace.
type host struct {
	name      namespace
	addresses []string // without prefix length
	gateway   string   // empty for none
	virtual   []string // virtual addresses that it bears without telling anybody, for direct forwarding
}

// buildNetwork makes a namespace for every host and wires each by a veth pair to a bridge in the machine's own
// namespace. Replies of the real servers go through the director, as NAT forwarding needs.
func buildNetwork(hosts []host) error {
	var wiring strings.Builder
	fmt.Fprintf(&wiring, "link add %s type bridge\nlink set %s up\n", switchName, switchName)
	for _, h := range hosts {
		fmt.Fprintf(&wiring, "netns add %s\n", h.name)
		fmt.Fprintf(&wiring, "link add %s type veth peer name %s netns %s\n", h.name, interfaceName, h.name)
		fmt.Fprintf(&wiring, "link set %s master %s up\n", h.name, switchName)
	}
	if err := ipBatch(wiring.String()); err != nil {
		return fmt.Errorf("wiring the switch: %w", err)
	}
	for _, h := range hosts {
		if err := h.configure(); err != nil {
			return fmt.Errorf("configuring %s: %w", h.name, err)
		}
	}
	return nil
}

// configure gives the host's one interface its addresses and routes.
func (h host) configure() error {
	var batch strings.Builder
	fmt.Fprintf(&batch, "link set lo up\nlink set %s up\n", interfaceName)
	for _, a := range h.addresses {
		fmt.Fprintf(&batch, "address add %s%s dev %s\n", a, prefixLength, interfaceName)
	}
	if h.gateway != "" {
		fmt.Fprintf(&batch, "route add default via %s\n", h.gateway)
	}
	// Who was sent a packet directly answers directly: the director would not take its own address for a sender's.
	for _, a := range h.virtual {
		fmt.Fprintf(&batch, "address add %s/32 dev lo\nrule add from %s lookup %s\n", a, a, directTable)
	}
	if len(h.virtual) > 0 {
		fmt.Fprintf(&batch, "route add %s dev %s table %s\n", frontNetwork, interfaceName, directTable)
	}
	if err := ipBatch(batch.String(), "-n", string(h.name)); err != nil || len(h.virtual) == 0 {
		return err
	}
	// Only the director answers who asks on the network for a virtual address.
	return h.name.set(
		setting{"conf/all/arp_ignore", "1"},
		setting{"conf/all/arp_announce", "2"})
}

// forwardPackets makes the namespace a router. It sends no redirects: both networks share its interface, and a client
// that took a shortcut would lose the director's address translation.
func (n namespace) forwardPackets() error {
	return n.set(
		setting{"ip_forward", "1"},
		setting{"conf/all/send_redirects", "0"},
		setting{"conf/" + interfaceName + "/send_redirects", "0"},
		// A client may use a port again whose connection was closed. Under direct forwarding the director does not see all
		// of that, and by default would go on sending the port's packets to the old server.
		setting{"vs/conn_reuse_mode", "3"})
}

// setting is a file below /proc/sys/net/ipv4 and what it is to say.
type setting struct{ path, value string }

// set changes settings of the namespace.
func (n namespace) set(settings ...setting) error {
	return n.enter(func() error {
		for _, s := range settings {
			if err := os.WriteFile(filepath.Join("/proc/sys/net/ipv4", s.path), []byte(s.value), 0); err != nil {
				return fmt.Errorf("setting %s: %w", s.path, err)
			}
		}
		return nil
	})
}

// cut takes the host off the switch.
func (n namespace) cut() error { return ipBatch(fmt.Sprintf("link set %s down\n", n)) }

// restore puts the host back on the switch.
func (n namespace) restore() error { return ipBatch(fmt.Sprintf("link set %s up\n", n)) }

// enter calls f on a thread that is in the namespace. Files of /proc/thread-self/net that f opens, and processes that it
// starts, belong to the namespace ever after.
func (n namespace) enter(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine, so that no other work meets the namespace
		done <- func() error {
			file, err := os.Open(filepath.Join(namespacesPath, string(n)))
			if err != nil {
				return fmt.Errorf("opening namespace %s: %w", n, err)
			}
			defer file.Close()
			if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering namespace %s: %w", n, err)
			}
			return f()
		}()
	}()
	return <-done
}

// ipBatch runs the lines through one ip(8): in this machine starting a process is the dear part.
func ipBatch(lines string, options ...string) error {
	cmd := exec.Command("ip", append(options, "-batch", "-")...)
	cmd.Stdin = strings.NewReader(lines)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(options, " "), err, output)
	}
	return nil
}
