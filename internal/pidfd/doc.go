// Package pidfd opens pidfds (pidfd_open(2)), and reports when their processes exit.
// A process number may be given to another process; a pidfd always means the one for
// which it was opened.
package pidfd
