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

// The addresses: clients and virtual addresses are on one network, real servers on another (both reserved for documentation
// by RFC 5737), the director on both. All share one switch, so that the director can also forward by direct routing.
const (
	directorFront  = "192.0.2.1"
	directorBack   = "198.51.100.1"
	prefixLength   = "/24"
	frontNetwork   = "192.0.2.0" + prefixLength
	directTable    = "100" // the routing table of answers that bypass the director
	clientName     = "client"
	directorName   = "director"
	switchName     = "switch"
	interfaceName  = "eth0"
	namespacesPath = "/run/netns"
)

// namespace is the name of a network namespace, which is one host of the laboratory.
type namespace string

// host is the network configuration of a namespace.
type host struct {
	name      namespace
	addresses []string // without prefix length
	gateway   string   // "" = none
	virtual   []string // virtual addresses that it has but does not announce, for direct routing
}

// buildNetwork makes a namespace for every host, and connects it by a veth pair to a bridge in the machine's own namespace.
// Replies of the real servers go through the director, as NAT needs.
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
	// Answers to packets that came by direct routing bypass the director: it drops packets from an address of its own.
	for _, a := range h.virtual {
		fmt.Fprintf(&batch, "address add %s/32 dev lo\nrule add from %s lookup %s\n", a, a, directTable)
	}
	if len(h.virtual) > 0 {
		fmt.Fprintf(&batch, "route add %s dev %s table %s\n", frontNetwork, interfaceName, directTable)
	}
	if err := ipBatch(batch.String(), "-n", string(h.name)); err != nil || len(h.virtual) == 0 {
		return err
	}
	// Only the director answers ARP requests for a virtual address.
	return h.name.set(
		setting{"conf/all/arp_ignore", "1"},
		setting{"conf/all/arp_announce", "2"})
}

// forwardPackets makes the namespace a router. It sends no redirects: both networks share its interface, and packets that
// bypass the director would miss its NAT.
func (n namespace) forwardPackets() error {
	return n.set(
		setting{"ip_forward", "1"},
		setting{"conf/all/send_redirects", "0"},
		setting{"conf/" + interfaceName + "/send_redirects", "0"},
		// A client may reuse the port of a closed connection. With direct routing the director does not see the whole close,
		// and by default would send the new connection to the old server.
		setting{"vs/conn_reuse_mode", "3"})
}

// setting is a file below /proc/sys/net/ipv4 and its content.
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

// cut disconnects the host from the switch.
func (n namespace) cut() error { return ipBatch(fmt.Sprintf("link set %s down\n", n)) }

// restore connects the host to the switch again.
func (n namespace) restore() error { return ipBatch(fmt.Sprintf("link set %s up\n", n)) }

// enter calls f on a thread that is in the namespace. Files of /proc/thread-self/net that f opens, and processes that it
// starts, stay in the namespace.
func (n namespace) enter(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, so no other goroutine runs in the namespace
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

// ipBatch runs the lines with one ip(8), because starting a process is expensive in this machine.
func ipBatch(lines string, options ...string) error {
	cmd := exec.Command("ip", append(options, "-batch", "-")...)
	cmd.Stdin = strings.NewReader(lines)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(options, " "), err, output)
	}
	return nil
}
