package wrapper

import (
	"fmt"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/rule"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

// record is what the program has said and is still true. It is pure. Its zero value is
// that of a program that has said nothing.
type record struct {
	ready     bool
	reloading bool
	stopping  bool
	triggered bool    // it has said that it hangs
	drain     *bool   // nil if it did not say
	status    *string // likewise
	errno     *int    // likewise
	watchdog  mark    // its Within is 0 if there is none
	own       []*mark
}

// mark is a landmark, and what was said of it.
type mark struct {
	sdnotify.Landmark
	declaration string // the line that declares it
}

// setTimeout sets the watchdog's timeout, 0 for none.
func (r *record) setTimeout(timeout time.Duration, at rule.Instant) {
	if r.watchdog.Declared == nil {
		r.watchdog.At = at
	}
	r.watchdog.Declared = &rule.Declared{Name: sdnotify.WatchdogName, Kind: rule.KindAlive, Impact: rule.ImpactCritical, Within: timeout}
}

// timeout returns the watchdog's timeout, 0 if there is none.
func (r *record) timeout() time.Duration {
	if r.watchdog.Declared == nil {
		return 0
	}
	return r.watchdog.Within
}

// take takes one line of a notification, received at the instant. It returns what the
// line says.
func (r *record) take(line string, at rule.Instant) sdnotify.Message {
	m, err := sdnotify.Parse([]byte(line))
	if err != nil {
		return sdnotify.Message{}
	}
	switch {
	case m.Ready:
		if watchdog := r.watchdogMark(); !r.ready && !watchdog.Reached {
			watchdog.Reach(at) // from now on it must be fed
		}
		r.ready, r.reloading = true, false
		if own := r.find(sdnotify.ReadyName); own != nil && own.Kind == rule.KindCondition {
			own.Reach(at)
			own.Met = true
		}
	case m.Reloading:
		r.reloading = true
	case m.Stopping:
		r.stopping = true
	case m.Trigger:
		r.triggered = true
	case m.Watchdog:
		r.watchdogMark().Reach(at)
	case m.WatchdogTimeout != nil:
		if r.ready && *m.WatchdogTimeout > 0 && *m.WatchdogTimeout != r.timeout() { // as for landmarkd, from now on the time counts
			r.watchdogMark().Reach(at)
		}
		r.setTimeout(*m.WatchdogTimeout, at)
	case m.Status != nil:
		r.status = m.Status
	case m.Errno != nil:
		r.errno = m.Errno
	case m.Drain != nil:
		r.drain = m.Drain
	case len(m.Declarations) > 0:
		r.declare(m.Declarations[0], line, at)
	case len(m.Facts) > 0:
		if l := r.find(m.Facts[0].Name); l != nil {
			l.Take(m.Facts[0], at)
		}
	}
	return m
}

// watchdogMark returns the landmark that WATCHDOG=1 reaches.
func (r *record) watchdogMark() *mark {
	if own := r.find(sdnotify.WatchdogName); own != nil && own.Kind == rule.KindAlive {
		return own
	}
	return &r.watchdog
}

// declare takes a declaration. One of a program that had stopped makes it a new program, as
// for landmarkd.
func (r *record) declare(d rule.Declared, line string, at rule.Instant) {
	if r.stopping {
		timeout := r.timeout()
		*r = record{}
		r.setTimeout(timeout, at)
	}
	l := r.find(d.Name)
	if l == nil {
		l = &mark{}
		r.own = append(r.own, l)
	}
	l.Declare(d, at)
	l.declaration = line
}

// find returns the declared landmark with the name, or nil.
func (r *record) find(name string) *mark {
	for _, l := range r.own {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// provesWork reports whether reaching the landmark shows that the program works.
func (l *mark) provesWork() bool {
	return l.Kind == rule.KindAlive && l.Impact == rule.ImpactCritical
}

// started reports whether the program has started: it has said so, or it has landmarks
// that count for readiness; and it has reached all of these.
func (r *record) started() bool {
	started := r.ready
	for _, l := range r.own {
		if !l.AffectsReadiness() {
			continue
		}
		if l.NotYetReached() {
			return false
		}
		started = true
	}
	return started
}

// failing returns a critical landmark that fails at the instant, or nil. In a program that
// stops, no loop need turn any more.
func (r *record) failing(at rule.Instant) *mark {
	for _, l := range r.own {
		if r.stopping && l.Kind == rule.KindAlive {
			continue
		}
		if l.AffectsLiveness() && l.Evaluate(at).State == rule.Failing {
			return l
		}
	}
	return nil
}

// hangs reports whether the watchdog was not fed, or a critical landmark fails.
func (r *record) hangs(at rule.Instant) bool {
	if r.timeout() > 0 && r.find(sdnotify.WatchdogName) == nil && !r.stopping {
		if r.watchdog.Evaluate(at).State == rule.Failing {
			return true
		}
	}
	return r.triggered || r.failing(at) != nil
}

// lines returns notifications that say the same, at the instant. They reach no Alive, and
// renew no setting that must be renewed: only the program itself does. They do not say
// that it is ready while it hangs: a landmarkd that knows of no pass would believe that.
// Because landmarkd may judge between two of them, what fails comes first, and that the
// program is ready at the end.
func (r *record) lines(at rule.Instant) (lines []string) {
	add := func(when bool, line string) {
		if when {
			lines = append(lines, line)
		}
	}
	add(r.triggered, "WATCHDOG=trigger")
	add(r.timeout() > 0, fmt.Sprintf("WATCHDOG_USEC=%d", r.timeout().Microseconds()))
	if r.drain != nil {
		add(true, fmt.Sprintf("X_LANDMARK_DRAIN=%d", bit(*r.drain)))
	}
	if r.status != nil {
		add(true, "STATUS="+*r.status)
	}
	if r.errno != nil {
		add(true, fmt.Sprintf("ERRNO=%d", *r.errno))
	}
	for _, failing := range []bool{true, false} {
		for _, l := range r.own {
			if (l.Evaluate(at).State == rule.Failing) == failing {
				add(true, l.declaration)
				add(l.Reached, l.fact(at))
			}
		}
	}
	add(r.ready && !r.hangs(at), "READY=1")
	add(r.reloading, "RELOADING=1")
	add(r.stopping, "STOPPING=1")
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// fact returns the line that says what was said of the landmark, "" if only the program
// can say it.
func (l *mark) fact(at rule.Instant) string {
	switch {
	case l.Kind == rule.KindLevel:
		return fmt.Sprintf("X_LANDMARK_LEVEL=%s:%g", l.Name, l.Value)
	case l.Kind == rule.KindCondition && (!l.Met || l.TTL == 0):
		return fmt.Sprintf("X_LANDMARK_CONDITION=%s:%d:%s", l.Name, bit(l.Met), l.Reason)
	case l.Kind == rule.KindDeadline:
		if l.Pending == 0 {
			return fmt.Sprintf("X_LANDMARK_OPEN=%s:0", l.Name) // there is no oldest work
		}
		return fmt.Sprintf("X_LANDMARK_OPEN=%s:%d:%d", l.Name, l.Pending, at.Sub(l.At).Microseconds())
	}
	return ""
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// datagrams returns the lines in as few notifications as they fit in, but one at least.
// Each begins with the header.
func datagrams(header string, lines []string) (all [][]byte) {
	current := []byte(header)
	for _, line := range lines {
		if line == "" {
			continue
		}
		line = line[:min(len(line), sdnotify.MaxMessage-len(header)-1)]
		if len(current)+len(line)+1 > sdnotify.MaxMessage {
			all, current = append(all, current), []byte(header)
		}
		current = append(append(current, line...), '\n')
	}
	return append(all, current)
}
