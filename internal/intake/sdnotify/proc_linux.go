package sdnotify

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/sdnotify"
)

// ticksPerSecond is the unit of times in /proc/PID/stat (sysconf(_SC_CLK_TCK)), which
// is the same on all architectures that Go runs on.
const ticksPerSecond = 100

// procStat is what /proc/PID/stat says of a process (proc(5)).
type procStat struct {
	state  byte
	parent int
	start  uint64 // in ticks since boot
}

// stopped reports whether the process is stopped, by a signal or a debugger.
func (s procStat) stopped() bool { return s.state == 'T' || s.state == 't' }

// exited reports whether the process has exited, and its parent has not waited for it.
// Its main thread alone may have exited before.
func (s procStat) exited() bool { return s.state == 'Z' }

// startedAfter reports whether the process started after the datagram was sent. Its
// process number belonged to another process then.
func (s procStat) startedAfter(d *sdnotify.Datagram) bool {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return true
	}
	const slack = 2 * time.Second / ticksPerSecond // start is rounded, and the clocks are read one after the other
	return time.Duration(s.start)*time.Second/ticksPerSecond > time.Duration(now.Nano())-d.Age()+slack
}

// readStat reads /proc/PID/stat. If only the main thread of the process has exited, the
// state is that of another thread.
func readStat(pid int) (procStat, error) {
	s, err := readStatFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || !s.exited() {
		return s, err
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		if t, err := readStatFile(path); err == nil && !t.exited() && t.state != 'X' {
			s.state = t.state
			break
		}
	}
	return s, err
}

func readStatFile(path string) (procStat, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return procStat{}, err
	}
	return parseStat(text)
}

func parseStat(text []byte) (s procStat, err error) {
	// The second field is the name in parentheses, which may have any characters.
	end := bytes.LastIndexByte(text, ')')
	fields := strings.Fields(string(text[end+1:]))
	if end < 0 || len(fields) < 20 {
		return s, errors.New("/proc/PID/stat has too few fields")
	}
	s.state = fields[0][0]
	if s.parent, err = strconv.Atoi(fields[1]); err != nil {
		return s, err
	}
	s.start, err = strconv.ParseUint(fields[19], 10, 64)
	return s, err
}

// procStatus is what /proc/PID/status says of a process.
type procStatus struct {
	uid    uint32 // real
	nested []int  // its process numbers, that in the innermost PID namespace last
}

// readStatus reads /proc/PID/status.
func readStatus(pid int) (procStatus, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return procStatus{}, err
	}
	return parseStatus(string(text))
}

func parseStatus(text string) (s procStatus, err error) {
	found := false
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		numbers := strings.Fields(value)
		switch {
		case key == "Uid" && len(numbers) > 0:
			uid, err := strconv.ParseUint(numbers[0], 10, 32)
			if err != nil {
				return s, err
			}
			s.uid, found = uint32(uid), true
		case key == "NSpid":
			for _, number := range numbers {
				pid, err := strconv.Atoi(number)
				if err != nil {
					return s, err
				}
				s.nested = append(s.nested, pid)
			}
		}
	}
	if !found {
		return s, errors.New("/proc/PID/status has no Uid")
	}
	return s, nil
}
