package probe

import (
	"fmt"
	"time"
)

// Outcome is the result of one check.
type Outcome struct {
	Took time.Duration
	Err  error // why it failed, nil if it succeeded
	// Own means that the failure is landmarkd's own, and says nothing about the
	// program.
	Own bool
}

// Series is what the checks of a program say together. The zero value is that of no
// check.
type Series struct {
	Checked bool // once at least
	Holds   bool
	Own     bool          // if it does not hold: because of landmarkd itself
	Took    time.Duration // the last check
	Reason  string        // why the last check failed, "" if it succeeded
	against int           // the last checks that contradict Holds
}

// Add adds the outcome of the next check. The first check decides alone: a restart of
// landmarkd must not take a healthy program out.
func (s Series) Add(c *Check, o Outcome) Series {
	ok := o.Err == nil
	n := Series{Checked: true, Holds: s.Holds, Took: o.Took}
	if !ok {
		n.Reason = o.Err.Error()
	}
	if s.Checked && ok == s.Holds {
		return n.with(o)
	}
	n.against = s.against + 1
	needed := c.Fall
	if ok {
		needed = c.Rise
	}
	switch {
	case !s.Checked || n.against >= needed:
		n.Holds, n.against = ok, 0
	case ok:
		n.Reason = fmt.Sprintf("healthy again in %d of %d checks", n.against, needed)
	default:
		n.Reason = fmt.Sprintf("failed in %d of %d checks: %s", n.against, needed, n.Reason)
	}
	return n.with(o)
}

// with returns s, which fails for landmarkd's own reason if the outcome does.
func (s Series) with(o Outcome) Series {
	s.Own = !s.Holds && o.Own
	return s
}
