package eventloop

import (
	"os"

	"github.com/landmark-health/landmark/internal/nonblock"
)

// Socket is a socket that does not block. Its Read and Write return unix.EAGAIN where
// another would wait.
type Socket interface {
	Read([]byte) (int, error) // 0 and no error: the end
	Write([]byte) (int, error)
	Close() error
}

// descriptor is the Socket outside of tests.
type descriptor int

func (d descriptor) Read(b []byte) (int, error) { return nonblock.Read(int(d), b) }

func (d descriptor) Write(b []byte) (int, error) { return nonblock.Write(int(d), b) }

func (d descriptor) Close() error { return os.NewSyscallError("close", nonblock.Close(int(d))) }
