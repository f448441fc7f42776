package wrapper

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// ignored are the signals that this process was started to ignore, as by nohup(1). Go
// keeps only these two.
var ignored = func() (all []os.Signal) {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			all = append(all, s)
		}
	}
	return all
}()

// forwarded returns the signals that the program is sent when this process receives them:
// all that can be caught, except those that
//
//   - stop a process (SIGTSTP, SIGTTIN, SIGTTOU): they stop this one too, as the terminal
//     and the shell expect of every process of a job;
//   - say something of this process alone (SIGCHLD, SIGPIPE, SIGXCPU, …), or are a fault
//     of its own (SIGSEGV, …);
//   - Go's runtime uses (SIGURG, SIGPROF).
func forwarded() []os.Signal {
	all := []os.Signal{
		syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGABRT, syscall.SIGALRM, syscall.SIGCONT, syscall.SIGWINCH, syscall.SIGIO, syscall.SIGPWR,
	}
	for s := syscall.Signal(35); s <= 64; s++ { // real-time signals; libc and Go have those before
		all = append(all, s)
	}
	return all
}

// catch has the signals sent to a channel, and restores those that were ignored, so that
// the program ignores them too. SIGPIPE has its default action in the program.
func catch() chan os.Signal {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, append(forwarded(), syscall.SIGPIPE)...)
	if len(ignored) > 0 {
		signal.Ignore(ignored...)
	}
	return signals
}

// forward sends signals on to the program.
func forward(signals <-chan os.Signal, c *child) {
	for s := range signals {
		switch s {
		case syscall.SIGPIPE:
			continue
		case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH:
			if inForeground() {
				continue // the terminal has sent it to the program as well
			}
		}
		c.signal(s.(syscall.Signal))
	}
}

// inForeground reports whether this process is in the foreground process group of its
// terminal, to which the terminal sends signals.
func inForeground() bool {
	terminal, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false // it has none
	}
	defer unix.Close(terminal)
	group, err := unix.IoctlGetInt(terminal, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
