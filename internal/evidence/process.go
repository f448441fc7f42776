package evidence

// Process is a process as the kernel knows it. Its zero value is one that cannot be
// seen.
type Process struct {
	// PID is its number, 0 if it is in a PID namespace that the sidecar cannot see.
	PID int
	// Exited reports whether it has exited, after which another process may have its
	// number; nil = that is not known, and nothing may be read of it.
	Exited func() bool
	// Goroutines means that its threads run goroutines, and may wait in a lock only
	// because there is nothing to do.
	Goroutines bool
}
