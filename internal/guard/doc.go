// Package guard makes gRPC servers in which one client can use only a bounded
// amount of memory and work. Every gRPC listener of the sidecar uses it.
//
// gRPC bounds a message, a header list and the streams of a connection, but not
// their product. It reopens the window of a connection as soon as bytes arrive, so
// every stream may hold a window of unread data. It also answers resets, pings and
// settings as fast as they arrive. The guard reads the HTTP/2 frame headers
// (RFC 9113) that pass in both directions, counts them, and closes a connection
// that exceeds its limits.
package guard
