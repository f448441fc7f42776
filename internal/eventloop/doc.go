// Package eventloop serves many connections in one goroutine. A connection costs no
// stack, and an event no switch between goroutines: with a goroutine for each connection,
// both cost more than the answer to a small request.
//
// The loop has an epoll descriptor of its own, and waits for that in Go's poller: an
// epoll descriptor is readable when one of its sockets is ready. So the loop blocks no
// thread, and other goroutines and timers run as ever. While it is at work it ignores that
// more sockets become ready, and looks for them itself: see package arrivals.
//
// epoll exists on Linux only, so this package does too.
package eventloop
