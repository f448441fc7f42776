package wrapper

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The exit statuses of the wrapper when it does not run the program, as those of env(1)
// and timeout(1).
const (
	Failed      = 125 // the wrapper itself failed
	NotRun      = 126 // the program was found, but cannot be run
	NotFound    = 127
	signalled   = 128 // plus the signal that ended the program
	afterSignal = time.Second
)

// Status is how the program has ended: by a signal, or with an exit code if that is 0.
type Status struct {
	Code   int
	Signal syscall.Signal
}

// StartError says why the program does not run, and the exit status for that.
type StartError struct {
	Status int
	Err    error
}

func (e *StartError) Error() string { return e.Err.Error() }

func (e *StartError) Unwrap() error { return e.Err }

// failure returns the exit status for an error of looking up or running a program.
func failure(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return NotFound
	}
	return NotRun
}

// regular reports whether the program has ended as one does that is asked to, rather than
// crashed: with the exit status 0, or by a signal that asks for it. Some programs, such as
// the Java virtual machine, catch that and exit with the status that a shell would return.
func (s Status) regular() bool {
	by := s.Signal
	if by == 0 && s.Code > signalled {
		by = syscall.Signal(s.Code - signalled)
	}
	switch by {
	case 0:
		return s.Code == 0
	case syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM:
		return true
	}
	return false
}

// Exit ends this process as the program has ended. After a signal, a service manager sees
// that signal, and a shell 128 plus its number. There is no second core dump.
func (s Status) Exit() {
	if s.Signal != 0 && os.Getpid() != 1 { // a signal does not end an init process
		s.raise()
	}
	if s.Signal != 0 {
		os.Exit(signalled + int(s.Signal))
	}
	os.Exit(s.Code)
}

// raise ends this process by the signal. Package signal cannot restore the default action
// of the signals that Go's runtime handles itself, such as SIGSEGV.
func (s Status) raise() {
	unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	var action [8]uint64 // a kernel's struct sigaction of zeros: the default action
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s.Signal), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	syscall.Kill(os.Getpid(), s.Signal)
	time.Sleep(afterSignal)
}
