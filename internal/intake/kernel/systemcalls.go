package kernel

import "golang.org/x/sys/unix"

// knownCall is a system call in which threads wait.
type knownCall struct {
	name  string
	doing string // what it waits for; with file, that follows
	file  bool   // its first argument is a file
}

const (
	reading   = "waiting to read from"
	writing   = "waiting to write to"
	events    = "waiting for events"
	accepting = "waiting for a connection to"
	aLock     = "blocked in a lock"
	aSleep    = "sleeping"
	aChild    = "waiting for a child process"
	aFileLock = "waiting for a file lock"
	aDisk     = "waiting for a disk"
	aSignal   = "waiting for a signal"
	aQueue    = "blocked in a semaphore or message queue"
)

// systemCalls are those that all architectures have, by number. systemcalls_amd64.go adds
// the others.
var systemCalls = map[int]knownCall{
	unix.SYS_FUTEX:           {"futex", aLock, false},
	unix.SYS_READ:            {"read", reading, true},
	unix.SYS_READV:           {"readv", reading, true},
	unix.SYS_PREAD64:         {"pread64", reading, true},
	unix.SYS_PREADV:          {"preadv", reading, true},
	unix.SYS_PREADV2:         {"preadv2", reading, true},
	unix.SYS_RECVFROM:        {"recvfrom", reading, true},
	unix.SYS_RECVMSG:         {"recvmsg", reading, true},
	unix.SYS_RECVMMSG:        {"recvmmsg", reading, true},
	unix.SYS_WRITE:           {"write", writing, true},
	unix.SYS_WRITEV:          {"writev", writing, true},
	unix.SYS_PWRITE64:        {"pwrite64", writing, true},
	unix.SYS_PWRITEV:         {"pwritev", writing, true},
	unix.SYS_PWRITEV2:        {"pwritev2", writing, true},
	unix.SYS_SENDTO:          {"sendto", writing, true},
	unix.SYS_SENDMSG:         {"sendmsg", writing, true},
	unix.SYS_SENDMMSG:        {"sendmmsg", writing, true},
	unix.SYS_SENDFILE:        {"sendfile", writing, true},
	unix.SYS_SPLICE:          {"splice", reading, true},
	unix.SYS_ACCEPT:          {"accept", accepting, true},
	unix.SYS_ACCEPT4:         {"accept4", accepting, true},
	unix.SYS_CONNECT:         {"connect", "waiting to connect", true},
	unix.SYS_PPOLL:           {"ppoll", events, false},
	unix.SYS_PSELECT6:        {"pselect6", events, false},
	unix.SYS_EPOLL_PWAIT:     {"epoll_pwait", events, false},
	unix.SYS_EPOLL_PWAIT2:    {"epoll_pwait2", events, false},
	unix.SYS_IO_GETEVENTS:    {"io_getevents", events, false},
	unix.SYS_IO_URING_ENTER:  {"io_uring_enter", events, false},
	unix.SYS_NANOSLEEP:       {"nanosleep", aSleep, false},
	unix.SYS_CLOCK_NANOSLEEP: {"clock_nanosleep", aSleep, false},
	unix.SYS_WAIT4:           {"wait4", aChild, false},
	unix.SYS_WAITID:          {"waitid", aChild, false},
	unix.SYS_FLOCK:           {"flock", aFileLock, false},
	unix.SYS_FCNTL:           {"fcntl", aFileLock, false},
	unix.SYS_FSYNC:           {"fsync", aDisk, false},
	unix.SYS_FDATASYNC:       {"fdatasync", aDisk, false},
	unix.SYS_SYNC:            {"sync", aDisk, false},
	unix.SYS_SYNCFS:          {"syncfs", aDisk, false},
	unix.SYS_SYNC_FILE_RANGE: {"sync_file_range", aDisk, false},
	unix.SYS_MSYNC:           {"msync", aDisk, false},
	unix.SYS_RT_SIGTIMEDWAIT: {"rt_sigtimedwait", aSignal, false},
	unix.SYS_RT_SIGSUSPEND:   {"rt_sigsuspend", aSignal, false},
	unix.SYS_SEMOP:           {"semop", aQueue, false},
	unix.SYS_SEMTIMEDOP:      {"semtimedop", aQueue, false},
	unix.SYS_MSGRCV:          {"msgrcv", aQueue, false},
	unix.SYS_MSGSND:          {"msgsnd", aQueue, false},
	unix.SYS_MQ_TIMEDRECEIVE: {"mq_timedreceive", aQueue, false},
	unix.SYS_MQ_TIMEDSEND:    {"mq_timedsend", aQueue, false},
}
