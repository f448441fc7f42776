// Package hostclock reads CLOCK_MONOTONIC (clock_gettime(2)), which all processes
// of a host share, unless they have a time namespace of their own
// (time_namespaces(7)). With it, a process can compute how long a message of another
// process has waited. Go's monotonic time is the same clock, but cannot be compared
// between processes.
package hostclock

// A Clock is the clock of this process. The zero Clock has no time, and no process
// shares it.
type Clock struct {
	name string
}

// Name returns the name of the clock. Two processes with the same name have the same
// clock. It is empty if the clock is unknown.
func (c Clock) Name() string { return c.name }

// Is reports whether a process whose clock has the name shares this clock.
func (c Clock) Is(name string) bool { return name != "" && c.name == name }
