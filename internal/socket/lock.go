package socket

import "io"

// Lock takes the lock file at the path for this process, until it is closed or
// the process ends. The error says if another process has it.
func Lock(path string) (io.Closer, error) { return lockFile(path) }
