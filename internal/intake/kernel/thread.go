package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// thread is what was read of a thread.
type thread struct {
	id      int
	main    bool
	name    string
	state   byte   // R, S, D, T, t, Z, X or I, as in /proc/PID/stat
	signal  int    // that has stopped it, 0 if that is unknown
	waitsIn string // the function of the kernel, "" if unknown
	call    systemCall
	file    string // what the call's file is, "" if it has none or it is unknown

	before, after usage
	again         bool // it was read twice
	ranBoth       bool // it was running or runnable both times
}

// systemCall is what a thread is in.
type systemCall struct {
	known   bool
	running bool // it is in none
	number  int
	args    [6]uint64
}

// usage is the time that a thread has run, and how often it has gone to sleep.
type usage struct {
	at    time.Time
	timed bool // ran is known
	ran   time.Duration
	slept string // the number of times, of a thread that runs; "" if unknown
}

// read reads the thread. It returns an error if it has ended. denied is set if the kernel
// does not allow to read system calls.
func (t *thread) read(dir *os.Root, denied *bool) error {
	if err := t.readStat(dir); err != nil {
		return err
	}
	t.before = t.readUsage(dir)
	t.readWait(dir, denied)
	return nil
}

// readWait reads what the thread waits for.
func (t *thread) readWait(dir *os.Root, denied *bool) {
	if wchan, err := t.proc(dir, "wchan"); err == nil {
		if text := strings.TrimSpace(string(wchan)); text != "0" {
			t.waitsIn = text
		}
	}
	text, err := t.proc(dir, "syscall")
	switch {
	case errors.Is(err, fs.ErrPermission):
		*denied = true
	case err == nil:
		t.call = parseSystemCall(string(text))
	}
	if fd, ok := t.call.file(); ok {
		if target, err := dir.Readlink(fmt.Sprintf("fd/%d", fd)); err == nil {
			t.file = target
		}
	}
}

// readAgain reads how much processor time the thread has used since. One that ran then,
// and waits now, is described as it is now.
func (t *thread) readAgain(dir *os.Root, denied *bool) {
	now := *t
	if now.readStat(dir) != nil {
		return
	}
	t.after, t.again = now.readUsage(dir), true
	t.ranBoth = t.state == 'R' && now.state == 'R'
	if t.state == 'R' && now.state != 'R' {
		now.call, now.file, now.waitsIn = systemCall{}, "", ""
		now.readWait(dir, denied)
		t.state, t.signal, t.call, t.file, t.waitsIn = now.state, now.signal, now.call, now.file, now.waitsIn
	}
}

// share returns how much of a processor the thread has used between the two readings.
func (t *thread) share() float64 {
	elapsed := t.after.at.Sub(t.before.at)
	if !t.again || elapsed <= 0 {
		return 0
	}
	return max(0, float64(t.after.ran-t.before.ran)/float64(elapsed))
}

// neverSlept reports whether the thread was running, or waiting for a processor, from the
// first reading to the second.
func (t *thread) neverSlept() bool {
	return t.ranBoth && t.before.slept != "" && t.before.slept == t.after.slept
}

func (t *thread) proc(dir *os.Root, name string) ([]byte, error) {
	return dir.ReadFile(fmt.Sprintf("task/%d/%s", t.id, name))
}

// readUsage reads what the thread has used. A kernel without CONFIG_SCHED_INFO does not
// count the time.
func (t *thread) readUsage(dir *os.Root) usage {
	text, _ := t.proc(dir, "schedstat") // the time that it ran, and two more numbers
	u := usage{at: time.Now()}
	_, err := fmt.Sscan(string(text), (*int64)(&u.ran))
	u.timed = err == nil
	if t.state == 'R' {
		text, _ := t.proc(dir, "status")
		u.slept = statusFields(text)["voluntary_ctxt_switches"]
	}
	return u
}

// readStat reads the thread's name, state, and the signal that has stopped it.
func (t *thread) readStat(dir *os.Root) error {
	text, err := t.proc(dir, "stat")
	if err != nil {
		return err
	}
	return t.parseStat(text)
}

// parseStat parses /proc/PID/task/TID/stat (proc(5)).
func (t *thread) parseStat(text []byte) error {
	// The name is in parentheses, and may have any characters.
	begin, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return errors.New("/proc/PID/stat has no name in parentheses")
	}
	t.name = string(text[begin+1 : end])
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) == 0 {
		return errors.New("/proc/PID/stat has no state")
	}
	t.state = fields[0][0]
	const exitCode = 52 - 3 // proc(5) counts from 1, and the number and the name come before
	if t.state == 'T' && len(fields) > exitCode {
		// A stopped process has no exit code, and the kernel shows the signal here.
		switch n, _ := strconv.Atoi(fields[exitCode]); unix.Signal(n) {
		case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
			t.signal = n
		}
	}
	return nil
}

// parseSystemCall parses /proc/PID/task/TID/syscall (proc(5)).
func parseSystemCall(text string) (c systemCall) {
	fields := strings.Fields(text)
	if len(fields) == 1 && fields[0] == "running" {
		return systemCall{known: true, running: true}
	}
	if len(fields) < 7 {
		return systemCall{} // blocked outside of a system call, such as by a page fault
	}
	number, err := strconv.Atoi(fields[0])
	if err != nil {
		return systemCall{}
	}
	c = systemCall{known: true, number: number}
	for i := range c.args {
		if c.args[i], err = strconv.ParseUint(fields[1+i], 0, 64); err != nil {
			return systemCall{}
		}
	}
	return c
}

// file returns the number of the file that the call is about.
func (c systemCall) file() (fd int, ok bool) {
	if !c.known || c.running || !systemCalls[c.number].file || c.args[0] > 1<<30 {
		return 0, false
	}
	return int(c.args[0]), true
}
