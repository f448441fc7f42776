package nonblock

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read is read(2) of a descriptor that does not block, such as those in Go's poller.
func Read(fd int, b []byte) (n int, err error) { return transfer(unix.SYS_READ, fd, b) }

// Write is write(2) of such a descriptor. It may write less than b.
func Write(fd int, b []byte) (n int, err error) { return transfer(unix.SYS_WRITE, fd, b) }

func transfer(call uintptr, fd int, b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		r, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(r), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// Unread returns how many bytes can be read from a Unix stream socket (unix(7), SIOCINQ).
func Unread(fd int) (n int, err error) { return ioctlInt(fd, unix.SIOCINQ) }

// Unsent returns how many bytes were written to a Unix stream socket that its peer has not
// read (unix(7), SIOCOUTQ).
func Unsent(fd int) (n int, err error) { return ioctlInt(fd, unix.SIOCOUTQ) }

func ioctlInt(fd int, request uintptr) (int, error) {
	var n int32
	if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Ready is poll(2) without waiting. It returns how many of the descriptors have events.
func Ready(fds []unix.PollFd) (n int, err error) {
	var now unix.Timespec
	r, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	runtime.KeepAlive(fds)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// Monotonic returns the time by CLOCK_MONOTONIC, 0 if it cannot be read.
func Monotonic() (now unix.Timespec) {
	unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&now)), 0)
	return now
}
