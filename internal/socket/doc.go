// Package socket provides what the sidecar's listeners share: Unix sockets that
// replace the stale socket of a landmarkd that was killed but never one that is in
// use; the credentials of a peer; limits on open connections; and limits on what
// is logged about clients.
//
// Peer credentials (SO_PEERCRED) exist on Linux only, so this package does too.
package socket
