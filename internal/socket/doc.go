// Package socket is the sidecar's Unix sockets: where they live, how one left
// behind by a landmarkd that died is taken over while a living one's never is,
// and who is at the other end. It also bounds how many connections a listener,
// of whatever network, has open.
package socket
