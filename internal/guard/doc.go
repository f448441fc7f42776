// Package guard makes gRPC servers that a client cannot make hold much memory or
// do much work. Every gRPC listener of the sidecar is made by it.
//
// gRPC bounds a message, a header list and the streams of a connection, but not
// their product: it opens the window of a connection again as soon as bytes have
// come, so that every stream may hold a window of unread data, and it answers
// resets, pings and settings as fast as they come. The guard reads the frame
// headers of HTTP/2 (RFC 9113) as they pass, in both directions, counts, and
// closes the connection that goes beyond its limits.
package guard
