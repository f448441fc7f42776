// Package turn shows that a loop of packets or connections still turns: a deadline that has
// passed ends its wait. Nothing is sent for that, so neither a flood nor a firewall can make
// a loop that works look as if it hung.
package turn

import (
	"context"
	"time"
)

// rewake is how often the loop is woken again until it has turned: others may reset the
// deadline, or replace the socket.
const rewake = 50 * time.Millisecond

// Loop lets a loop show that it turns. New makes it.
type Loop struct {
	wanted chan struct{} // holds a token while a call of Turn waits
	turned chan struct{} // holds a token once the loop has turned
}

// New returns a Loop.
func New() *Loop { return &Loop{make(chan struct{}, 1), make(chan struct{}, 1)} }

// Turn returns once the loop has turned, or an error of ctx or setDeadline, which sets
// the deadline of the loop's wait. Call it only once at a time.
func (l *Loop) Turn(ctx context.Context, setDeadline func(time.Time) error) error {
	select {
	case <-l.turned: // for a call that gave up
	default:
	}
	give(l.wanted)
	ticker := time.NewTicker(rewake)
	defer ticker.Stop()
	for {
		if err := setDeadline(time.Unix(1, 0)); err != nil { // which has passed
			return err
		}
		select {
		case <-l.turned:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// Turned says that the loop has turned, and lets it wait again. The loop calls it when
// its wait ends with os.ErrDeadlineExceeded.
func (l *Loop) Turned(setDeadline func(time.Time) error) {
	_ = setDeadline(time.Time{}) // fails only if the socket is closed, and so does the next wait
	l.Answer()
}

// Wanted receives while Turn waits, for a loop that waits for something else.
func (l *Loop) Wanted() <-chan struct{} { return l.wanted }

// Answer is Turned for a loop that has received from Wanted.
func (l *Loop) Answer() {
	select {
	case <-l.wanted:
	default:
	}
	give(l.turned)
}

// give puts a token into the channel, unless it holds one.
func give(tokens chan struct{}) {
	select {
	case tokens <- struct{}{}:
	default:
	}
}
