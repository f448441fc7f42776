// Package hostclock reads CLOCK_MONOTONIC (clock_gettime(2)), which is one clock
// for all processes of a host, but for those that have a time namespace of their
// own (time_namespaces(7)). So two processes can tell how long a message between
// them has waited. Go's own monotonic time is the same clock, but cannot be
// compared between processes.
package hostclock

// Clock is the clock of this process. The zero Clock does not go, and is nobody
// else's.
type Clock struct {
	name string
}

// Name returns what names the clock: two processes that have the same name have
// the same clock. It is empty where the clock cannot be known.
func (c Clock) Name() string { return c.name }

// Is reports whether a process that gives the name has the same clock.
func (c Clock) Is(name string) bool { return name != "" && c.name == name }
