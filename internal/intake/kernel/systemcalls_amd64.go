package kernel

import "golang.org/x/sys/unix"

func init() {
	systemCalls[unix.SYS_POLL] = knownCall{"poll", events, false}
	systemCalls[unix.SYS_SELECT] = knownCall{"select", events, false}
	systemCalls[unix.SYS_EPOLL_WAIT] = knownCall{"epoll_wait", events, false}
	systemCalls[unix.SYS_PAUSE] = knownCall{"pause", aSignal, false}
}
