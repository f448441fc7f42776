// Package host is the intake of what landmarkd reads from its own host, without any
// program: whether the host has an address, whether a program listens on a TCP port,
// and whether it accepts connections in time.
//
// It reads from the kernel over netlink (rtnetlink(7), sock_diag(7)), which needs no
// privilege and shows landmarkd's own network namespace. As long as the
// configuration has landmarks of the host, it reads all of them several times a
// second and reports them to the registry, like an agent.
//
// Netlink exists on Linux only, so this package does too.
package host
