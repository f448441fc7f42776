// Package host is the intake of what landmarkd reads from its own host, without any
// program: whether the host has an address, whether a program listens on a TCP port or
// has a UDP port, and whether it accepts connections and reads datagrams in time.
//
// It reads from the kernel over netlink (rtnetlink(7), sock_diag(7)), which needs no
// privilege and shows landmarkd's own network namespace. As long as the
// configuration has landmarks of the host, it reads all of them several times a
// second and reports them to the registry, like an agent. It reports the results of
// active checks with them, because the registry takes all facts about a service's host
// at once.
//
// Netlink exists on Linux only, so this package does too.
package host
