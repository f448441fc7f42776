package wrapper

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/landmark-health/landmark/internal/rule"
	"github.com/landmark-health/landmark/internal/sdnotify"
	"github.com/landmark-health/landmark/internal/servicemanager"
)

// relay passes on the notifications of the program.
type relay struct {
	ctx     context.Context // done when the service manager is not waited for any more
	pid     int             // of the program
	manager *servicemanager.Notifier
	filter  managerFilter
	sidecar *sidecar
	now     func() rule.Instant
	warn    func(error)
	warned  bool // of a proof that was left out
}

// handle passes on one notification. To landmarkd it goes without its descriptors, and a
// barrier not at all: the program does not wait for landmarkd.
func (r *relay) handle(d *sdnotify.Datagram) {
	if d.Truncated || !r.maySpeak(d.UID) {
		return
	}
	if _, err := sdnotify.Parse(d.Data); err != nil { // landmarkd would take nothing of it
		r.manager.Relay(r.ctx, d.Data, d.Files)
		return
	}
	at, all := r.now(), strings.Split(strings.TrimSuffix(string(d.Data), "\x00"), "\n")
	lines := r.withoutProof(all, d.PID)
	if len(lines) < len(all) {
		r.warnOfProof(d.PID)
	}
	said := make([]sdnotify.Message, len(lines))
	out, same := r.take(lines, said, at)
	same = same && len(lines) == len(all)
	if slices.ContainsFunc(said, func(m sdnotify.Message) bool { return m.Barrier }) {
		out, same = lines, true
	}
	if len(out) == 0 {
		return
	}
	data := d.Data
	if !same {
		data = []byte(strings.Join(out, "\n"))
	}
	// An error has no one to go to: the program does not learn either what became of its
	// notification.
	r.manager.Relay(r.ctx, data, d.Files)
}

// proofs are the keys by which a program shows that it works.
var proofs = []string{"WATCHDOG=", "WATCHDOG_USEC=", "X_LANDMARK_REACH=", "X_LANDMARK_OPEN="}

// withoutProof returns the lines of a notification without those that show that the program
// works, if another process sent it and does not name the program: that a worker works does
// not show that the program does. landmarkd would receive them with the program's MAINPID=.
func (r *relay) withoutProof(lines []string, sender int) []string {
	if sender == r.pid || slices.Contains(lines, fmt.Sprint("MAINPID=", r.pid)) {
		return lines
	}
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return slices.ContainsFunc(proofs, func(key string) bool { return strings.HasPrefix(line, key) })
	})
}

// warnOfProof warns, once, that a proof of the sender was left out: it may be the only one
// that the program sends.
func (r *relay) warnOfProof(sender int) {
	if r.warned {
		return
	}
	r.warned = true
	last := len(proofs) - 1
	r.warn(fmt.Errorf("%s and %s of the process %d have no effect, because it is not the program and does not name it: send them from the program itself, or with MAINPID=%d",
		strings.Join(proofs[:last], ", "), proofs[last], sender, r.pid))
}

// take records what the lines say, sends it to landmarkd, and returns what to send to the
// service manager, and whether that is the same.
func (r *relay) take(lines []string, said []sdnotify.Message, at rule.Instant) (out []string, same bool) {
	s := r.sidecar
	s.mu.Lock()
	defer s.mu.Unlock()
	var inward []string
	stopping := s.said.stopping
	for i, line := range lines {
		said[i] = s.said.take(line, at)
		if key, _, ok := strings.Cut(line, "="); ok && key != "MAINPID" && key != "X_LANDMARK_SERVICE" && key != "BARRIER" {
			inward = append(inward, line)
		}
	}
	if stopping && !s.said.stopping {
		s.complete = false // landmarkd has forgotten what the wrapper itself has said
	}
	if len(inward) > 0 {
		s.submit(inward)
	}
	return r.filter.pass(&s.said, lines, said, at)
}

// maySpeak reports whether the user may speak for the program: root, the user of this
// process, and the one that the program runs as now.
func (r *relay) maySpeak(uid uint32) bool {
	if uid == 0 || uid == uint32(os.Getuid()) {
		return true
	}
	owner, err := realUID(r.pid)
	return err == nil && uid == owner
}

// realUID returns the real user of a process. The owner of its files in /proc is root if
// it has changed its user.
func realUID(pid int) (uint32, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "\nUid:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("/proc/%d/status has no Uid", pid)
	}
	uid, err := strconv.ParseUint(fields[0], 10, 32)
	return uint32(uid), err
}
