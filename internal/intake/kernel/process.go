package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// maxThreads is how many threads of a process are read, the main thread first.
	maxThreads = 128
	// interval is the time over which processor time is measured, and extraInterval what
	// is added if a thread got no processor meanwhile.
	interval      = 100 * time.Millisecond
	extraInterval = 400 * time.Millisecond
)

// Errors of processes that cannot be read. They are shown to people.
var (
	errExited    = errors.New("the process has exited")
	errInvisible = errors.New("the process is in another PID namespace, where landmarkd cannot see it: let them share one, such as with shareProcessNamespace: true in Kubernetes")
	errUnknown   = errors.New("the kernel does not say which process it is, so nothing was read of it: run landmarkd on Linux 5.3 or later")
)

// process is what was read of a process at one moment.
type process struct {
	pid     int
	name    string
	threads []thread // the main thread first
	unread  int      // threads that were not read
	idle    bool     // threads wait in a lock when there is nothing to do
	memory  string   // resident and swapped, as in /proc/PID/status; "" if unknown
	denied  bool     // system calls may not be read
}

// read reads each thread at the beginning and after an interval, and all once more if one
// got no processor meanwhile. It never reads another process that has got the number
// meanwhile: an open directory of /proc stays that of one process, and it is that of the
// right one if that one has not exited when it is open.
func read(ctx context.Context, id evidence.Process) (*process, error) {
	switch {
	case id.PID == 0:
		return nil, errInvisible
	case id.Exited == nil:
		return nil, errUnknown
	}
	dir, err := os.OpenRoot(fmt.Sprintf("/proc/%d", id.PID))
	if id.Exited() {
		if err == nil {
			dir.Close()
		}
		return nil, errExited
	}
	if err != nil {
		return nil, fmt.Errorf("landmarkd may not read the process: %w; mount /proc without hidepid=, or run landmarkd with its gid=", err)
	}
	defer dir.Close()
	p := &process{pid: id.PID, idle: id.Goroutines}
	ids, unread, err := threadIDs(dir, id.PID)
	if err != nil {
		return nil, fmt.Errorf("landmarkd may not read the process: %w", err)
	}
	p.unread = unread
	for _, tid := range ids {
		t := thread{id: tid, main: tid == id.PID}
		if t.read(dir, &p.denied) == nil { // else it has ended
			p.threads = append(p.threads, t)
		}
	}
	for _, wait := range []time.Duration{interval, extraInterval} {
		sleep.For(ctx, wait)
		starved := false
		for i := range p.threads {
			p.threads[i].readAgain(dir, &p.denied)
			starved = starved || p.threads[i].starves()
		}
		if !starved {
			break
		}
	}
	if len(p.threads) == 0 || id.Exited() {
		return nil, errExited
	}
	p.name = p.threads[0].name
	p.readMemory(dir)
	return p, nil
}

// threadIDs returns the numbers of the process's threads, maxThreads at most, that of the
// main thread first, and how many others there are.
func threadIDs(dir *os.Root, pid int) (ids []int, unread int, err error) {
	tasks, err := dir.Open("task")
	if err != nil {
		return nil, 0, err
	}
	defer tasks.Close()
	ids = append(ids, pid)
	names, err := tasks.Readdirnames(maxThreads)
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil && id != pid && len(ids) < maxThreads {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids[1:])
	if len(names) == maxThreads {
		if n := threadCount(dir); n > len(ids) {
			unread = n - len(ids)
		}
	}
	return ids, unread, nil
}

// threadCount returns the number of threads that the kernel counts, 0 if it is unknown.
func threadCount(dir *os.Root) int {
	n, _ := strconv.Atoi(status(dir)["Threads"])
	return n
}

// readMemory reads how much memory the process has.
func (p *process) readMemory(dir *os.Root) {
	fields := status(dir)
	if resident := fields["VmRSS"]; resident != "" {
		p.memory = "memory " + resident
		if swapped := fields["VmSwap"]; swapped != "" {
			p.memory += ", swapped out " + swapped
		}
	}
}

// status returns the fields of /proc/PID/status.
func status(dir *os.Root) map[string]string {
	text, _ := dir.ReadFile("status")
	return statusFields(text)
}

func statusFields(text []byte) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		fields[key] = strings.TrimSpace(value)
	}
	return fields
}
