package eventloop

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
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

func (d descriptor) Read(b []byte) (int, error) { return d.call(unix.SYS_READ, b) }

func (d descriptor) Write(b []byte) (int, error) { return d.call(unix.SYS_WRITE, b) }

// call makes a system call that does not block, so Go's scheduler need not know of it. To
// tell it, as unix.Read does, would wake its monitor each time that landmarkd was idle.
func (d descriptor) call(number uintptr, b []byte) (int, error) {
	for {
		n, _, err := unix.RawSyscall(number, uintptr(d), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch err {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}

func (d descriptor) Close() error { return os.NewSyscallError("close", unix.Close(int(d))) }
