package wrapper

import (
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/rule"
	"github.com/landmark-health/landmark/internal/sdnotify"
	"github.com/landmark-health/landmark/internal/servicemanager"
)

// managerFilter decides what of a notification goes to the service manager. It passes on each
// notification as it is, except what the service manager would misunderstand:
//
//   - MAINPID=: its main process is the wrapper. From any other it would take no more
//     notifications (NotifyAccess=main).
//   - READY=1, until the program has reached all landmarks that it declared and that count
//     for readiness.
//   - WATCHDOG=1, while a critical landmark that the program declared fails.
//   - What is for landmarkd alone.
//
// A program that declares landmarks need not send these two itself: a notification by which
// it starts, or proves that it works, has them added. Nothing is sent without a
// notification of the program.
type managerFilter struct {
	timeout time.Duration // of the service manager's watchdog, 0 if there is none

	ready bool         // READY=1 was passed on
	held  bool         // the last WATCHDOG=1 was not
	fedAt rule.Instant // when WATCHDOG=1 was last passed on
}

// pass returns the lines to send for those of a notification that the record r has taken at
// the instant, and whether they are the same. said is what each line says.
func (f *managerFilter) pass(r *record, lines []string, said []sdnotify.Message, at rule.Instant) (out []string, same bool) {
	started, failing := r.started(), r.failing(at)
	var proves, feeds, ready, content bool
	for i, line := range lines {
		m := &said[i]
		for _, fact := range m.Facts {
			l := r.find(fact.Name)
			proves = proves || fact.Kind == sdnotify.Reach && l != nil && l.provesWork()
		}
		switch {
		case strings.HasPrefix(line, "MAINPID="), strings.HasPrefix(line, "X_LANDMARK_"),
			m.Ready && !f.ready && !started,
			m.Watchdog && failing != nil:
			continue
		}
		feeds = feeds || m.Watchdog
		ready = ready || m.Ready
		content = content || line != ""
		out = append(out, line)
	}
	if !content {
		out = nil
	}
	passed := len(out)
	if !f.ready && started && !ready {
		ready = true
		out = append(out, servicemanager.Ready)
	}
	f.ready = f.ready || ready
	if proves && !feeds && !ready && f.ready && failing == nil && f.timeout > 0 && at.Sub(f.fedAt) >= f.timeout/4 {
		feeds = true
		out = append(out, servicemanager.Watchdog)
	}
	if feeds || ready { // with READY=1 the time begins
		f.fedAt = at
	}
	out = append(f.explain(r, failing, at), out...) // systemd takes the first status
	return out, passed == len(lines) && len(out) == passed
}

// explain returns the status that shows people why the watchdog is not fed, or no more.
func (f *managerFilter) explain(r *record, failing *mark, at rule.Instant) []string {
	hold := failing != nil && f.timeout > 0
	if hold == f.held {
		return nil
	}
	f.held = hold
	if hold {
		return []string{servicemanager.Status(failing.FailureReason(at))}
	}
	said := ""
	if r.status != nil {
		said = *r.status
	}
	return []string{servicemanager.Status(said)}
}
