// Package peercred are gRPC transport credentials by which a server knows who
// is at the other end of a Unix socket, as the kernel vouches. The socket never
// leaves the machine, so there is nothing to encrypt.
package peercred
