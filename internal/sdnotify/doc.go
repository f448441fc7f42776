// Package sdnotify is the receiving side of sd_notify(3): the datagrams by which a
// program says that it has started, that its watchdog is fed, or that it stops.
//
// A notification is one datagram of lines of KEY=VALUE. Keys that are not known are
// ignored, as systemd ignores them. The private keys X_LANDMARK_… carry landmarks
// (docs/sdnotify.md). [Parse] parses a datagram, and [Socket] receives it with its
// sender, as the kernel reports it.
package sdnotify
