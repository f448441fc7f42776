// Package host is the intake of what landmarkd sees by itself on its host, with
// no program's help: whether an address is on it, whether a TCP port listens,
// and whether connections to it are accepted in time.
//
// It asks the kernel over netlink (rtnetlink(7), sock_diag(7)), which takes no
// privilege, and so sees the network namespace that landmarkd is in. It asks
// some times a second for as long as there is anything to be seen, and hands
// the registry all that it saw each time, as an agent does.
package host
