package kernel

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// fullShare is from which part of a core on a thread has got all that it wanted, and
	// starvingShare up to which part it cannot be known whether it spins.
	fullShare     = 0.8
	starvingShare = 0.02
)

// spins reports whether the thread did nothing but compute between the two readings.
// That others had the processors meanwhile changes nothing.
func (t *thread) spins() bool { return t.neverSlept() && !t.starves() }

// starves reports whether the thread got no processor between the two readings, while it
// waited for one.
func (t *thread) starves() bool {
	return t.neverSlept() && t.after.timed && t.share() <= starvingShare
}

// percent returns how much of a core the thread has used, in words.
func (t *thread) percent() string { return fmt.Sprintf("%.0f %% of a core", t.share()*100) }

// doing says what the thread does, or waits for.
func (t *thread) doing() string {
	switch {
	case t.spins() && t.share() < fullShare:
		return "spinning, " + t.percent() + ", because others use the processors"
	case t.spins():
		return "spinning, " + t.percent()
	case t.starves():
		return "waiting for a processor, because others use them"
	case t.state == 'R':
		return "running, " + t.percent()
	case t.state == 'T' && t.signal != 0:
		return "stopped by a signal (" + unix.SignalName(unix.Signal(t.signal)) + ")"
	case t.state == 'T':
		return "stopped by a signal (SIGSTOP or Ctrl-Z)"
	case t.state == 't':
		return "stopped by a debugger"
	case t.state == 'Z', t.state == 'X':
		return "exited"
	case t.state == 'D':
		return t.uninterruptible()
	}
	if where := inKernel(t.waitsIn); strings.HasPrefix(where, "stopped") {
		return where
	}
	if words := t.inCall(); words != "" {
		return words
	}
	if words := inKernel(t.waitsIn); words != "" {
		return words + " (" + t.waitsIn + ")"
	}
	if t.waitsIn != "" {
		return "waiting in the kernel (" + t.waitsIn + ")"
	}
	return "waiting, for what is not known"
}

// inCall says what the thread waits for by its system call, "" if that is unknown.
func (t *thread) inCall() string {
	c, known := systemCalls[t.call.number]
	switch {
	case !t.call.known || t.call.running:
		return ""
	case !known:
		if words := inKernel(t.waitsIn); words != "" {
			return words + " (" + t.waitsIn + ")"
		}
		return fmt.Sprintf("waiting in the system call %d", t.call.number)
	case c.file:
		return c.doing + " " + t.fileWords() + " (" + c.name + ")"
	}
	return c.doing + " (" + c.name + ")"
}

// fileWords says what the file of the system call is.
func (t *thread) fileWords() string {
	switch {
	case strings.HasPrefix(t.file, "pipe:"), strings.Contains(t.waitsIn, "pipe"):
		return "a pipe"
	case strings.HasPrefix(t.file, "socket:"):
		return "a socket"
	case strings.HasPrefix(t.file, "anon_inode:"):
		return "an " + strings.Trim(strings.TrimPrefix(t.file, "anon_inode:"), "[]")
	case strings.HasPrefix(t.file, "/dev/pts/"), strings.HasPrefix(t.file, "/dev/tty"):
		return "a terminal"
	case t.file == "":
		return fmt.Sprintf("file %d", t.call.args[0])
	}
	return strings.ReplaceAll(t.file, "\n", " ") // it is one line
}

// uninterruptible says what a thread in the state D waits for.
func (t *thread) uninterruptible() string {
	words := inKernel(t.waitsIn)
	switch {
	case words == "":
		words = aDisk
		if t.waitsIn == "" {
			return words + ", most likely: nothing can interrupt it"
		}
	case strings.HasPrefix(words, "stopped"):
		return words
	}
	return words + " (" + t.waitsIn + ")"
}

// waits are what functions of the kernel wait for, by the beginnings of their names. They
// differ between versions. The first that matches counts.
var waits = []struct{ begin, doing string }{
	{"do_signal_stop", "stopped by a signal (SIGSTOP or Ctrl-Z)"},
	{"ptrace_stop", "stopped by a debugger"},
	{"do_freezer_trap", "stopped by the freezer of its control group"},
	{"__refrigerator", "stopped by the freezer of its control group"},
	{"futex", aLock}, {"rt_mutex", aLock},
	{"pipe_read", reading + " a pipe"}, {"anon_pipe_read", reading + " a pipe"}, {"fifo_pipe_read", reading + " a pipe"},
	{"pipe_write", writing + " a pipe"}, {"anon_pipe_write", writing + " a pipe"}, {"fifo_pipe_write", writing + " a pipe"},
	{"pipe_w", "waiting for a pipe"}, {"wait_for_partner", "waiting until the other end of a pipe is opened"},
	{"ep_poll", events}, {"do_epoll_wait", events}, {"poll_schedule", events}, {"do_poll", events}, {"do_select", events}, {"do_sys_poll", events}, {"io_cqring_wait", events},
	{"hrtimer_nanosleep", aSleep}, {"do_nanosleep", aSleep}, {"common_nsleep", aSleep},
	{"do_wait", aChild}, {"kernel_wait", aChild}, {"kernel_clone", "waiting until a child process has started (vfork)"}, {"wait_for_vfork", "waiting until a child process has started (vfork)"},
	{"unix_stream_read", reading + " a socket"}, {"unix_stream_data_wait", reading + " a socket"}, {"unix_dgram_recv", reading + " a socket"},
	{"sk_wait_data", reading + " a socket"}, {"__skb_wait_for_more_packets", reading + " a socket"}, {"wait_woken", "waiting for a socket or terminal"}, {"tcp_recvmsg", reading + " a socket"},
	{"sock_alloc_send", writing + " a socket"}, {"sk_stream_wait_memory", writing + " a socket"}, {"unix_wait_for_peer", writing + " a socket"},
	{"inet_csk_accept", accepting + " a socket"}, {"unix_accept", accepting + " a socket"}, {"inet_stream_connect", "waiting to connect"}, {"__inet_stream_connect", "waiting to connect"},
	{"n_tty_read", reading + " a terminal"}, {"n_tty_write", writing + " a terminal"}, {"tty_", "waiting for a terminal"}, {"eventfd_read", reading + " an eventfd"}, {"inotify_read", reading + " an inotify"},
	{"flock_lock", aFileLock}, {"posix_lock", aFileLock}, {"locks_lock", aFileLock}, {"fcntl_setlk", aFileLock},
	{"sigsuspend", aSignal}, {"do_sigtimedwait", aSignal}, {"sys_pause", aSignal}, {"do_sigwait", aSignal},
	{"do_semtimedop", aQueue}, {"do_msgrcv", aQueue}, {"wq_sleep", aQueue},
	{"rpc_wait", "waiting for a network file system (NFS)"}, {"nfs", "waiting for a network file system (NFS)"}, {"__rpc", "waiting for a network file system (NFS)"},
	{"cifs", "waiting for a network file system (SMB)"}, {"smb", "waiting for a network file system (SMB)"},
	{"fuse", "waiting for a file system of another process (FUSE)"}, {"request_wait_answer", "waiting for a file system of another process (FUSE)"},
	{"io_schedule", aDisk}, {"folio_wait", aDisk}, {"wait_on_page", aDisk}, {"wait_on_buffer", aDisk}, {"__wait_on_buffer", aDisk}, {"wait_on_page_bit", aDisk},
	{"blk_", aDisk}, {"blkdev_", aDisk}, {"submit_bio", aDisk}, {"bio_", aDisk}, {"jbd2_", aDisk}, {"ext4_", aDisk}, {"xfs_", aDisk}, {"btrfs_", aDisk}, {"rq_qos_wait", aDisk}, {"balance_dirty_pages", aDisk}, {"iomap_", aDisk}, {"swap_", aDisk}, {"do_swap", aDisk},
	{"mem_cgroup", "waiting for memory: its control group is at its limit"}, {"try_charge", "waiting for memory: its control group is at its limit"}, {"congestion_wait", "waiting for memory"}, {"throttle_direct_reclaim", "waiting for memory"},
	{"throttle_cfs", "waiting for the processor: its control group is at its limit"},
	{"userfaultfd", "waiting for a page of memory (userfaultfd)"}, {"handle_userfault", "waiting for a page of memory (userfaultfd)"},
	{"rwsem_down", "blocked in a lock of the kernel"}, {"__mutex_lock", "blocked in a lock of the kernel"}, {"mutex_lock", "blocked in a lock of the kernel"}, {"down_", "blocked in a lock of the kernel"},
}

// inKernel says what a thread waits for by the function of the kernel that it waits in, ""
// if that is unknown.
func inKernel(function string) string {
	for _, w := range waits {
		if strings.HasPrefix(function, w.begin) {
			return w.doing
		}
	}
	return ""
}
