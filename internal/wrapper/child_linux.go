package wrapper

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/pidfd"
)

// childName is the name by which the executable starts itself as the process that becomes
// the program: only that process knows its number before the program starts, for
// $WATCHDOG_PID and $LISTEN_PID.
const childName = "landmark-exec-child"

// IsChild reports whether the arguments of this process are those of such a process, which
// must call Become at once.
func IsChild(args []string) bool { return len(args) > 3 && args[0] == childName }

// Become makes this process the program. It returns only if that fails: an exit status and
// the reason.
func Become(args []string) (status int, err error) {
	pid := strconv.Itoa(os.Getpid())
	for name := range strings.SplitSeq(args[1], ",") {
		if name != "" {
			os.Setenv(name, pid)
		}
	}
	path, command := args[2], args[3:]
	err = syscall.Exec(path, command, os.Environ())
	return failure(err), fmt.Errorf("cannot run %s: %w", path, err)
}

// environment returns the environment of the program, and the names of the variables whose
// value is the number of its process.
func environment(socket string, timeout time.Duration) (env, pids []string) {
	set := map[string]string{"NOTIFY_SOCKET": socket}
	if timeout > 0 {
		set["WATCHDOG_USEC"] = strconv.FormatInt(timeout.Microseconds(), 10)
		pids = append(pids, "WATCHDOG_PID")
	}
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		pids = append(pids, "LISTEN_PID") // socket activation: the descriptors are inherited
	}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if _, replaced := set[name]; !replaced && !slices.Contains(pids, name) {
			env = append(env, variable)
		}
	}
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env, pids
}

// child is the process of the program.
type child struct {
	pid   int
	pidfd int
}

// startChild starts the program, with the standard streams of this process. It inherits
// all other descriptors that this process has inherited.
func startChild(path string, command, env, pids []string) (*child, error) {
	argv := append([]string{childName, strings.Join(pids, ","), path}, command...)
	pid, err := syscall.ForkExec("/proc/self/exe", argv, &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		return nil, fmt.Errorf("cannot start a process: %w", err)
	}
	fd, err := pidfd.Open(pid)
	if err != nil {
		syscall.Kill(pid, syscall.SIGKILL)
		(&child{pid: pid, pidfd: -1}).reap()
		return nil, fmt.Errorf("cannot watch the process: %w", err)
	}
	return &child{pid, fd}, nil
}

// signal sends the signal to the process. It does nothing if the process has ended.
func (c *child) signal(s syscall.Signal) { unix.PidfdSendSignal(c.pidfd, s, nil, 0) }

// awaitExit waits until the process has ended, and returns how. Its number stays taken
// until reap. It also reaps the processes that become children of this one because it is
// the first process of a container.
func (c *child) awaitExit() (Status, error) {
	for {
		var info childInfo
		err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return Status{}, os.NewSyscallError("waitid", err)
		case int(info.pid) != c.pid:
			wait(int(info.pid))
		default:
			return info.ending(), nil
		}
	}
}

// childInfo is a siginfo_t of SIGCHLD (waitid(2)). Package unix has no names for the
// fields of a single signal.
type childInfo struct {
	signo, errno, code int32
	_                  [unsafe.Sizeof(uintptr(0)) - 4]byte
	pid                int32
	uid                uint32
	status             int32
	_                  unix.Siginfo // more than the rest
}

const cldExited = 1 // CLD_EXITED

func (c *childInfo) ending() Status {
	if c.code == cldExited {
		return Status{Code: int(c.status)}
	}
	return Status{Signal: syscall.Signal(c.status)}
}

// reap gives back the number of the process, which has ended.
func (c *child) reap() {
	wait(c.pid)
	if c.pidfd >= 0 {
		unix.Close(c.pidfd)
	}
}

func wait(pid int) {
	for {
		if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}
