package probe

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
)

// Conversation takes the steps of one check, until it is Done. While [Conversation.Send]
// returns bytes, the caller sends them and calls [Conversation.Sent]. Otherwise it
// passes what it receives to [Conversation.Receive].
type Conversation struct {
	steps     []Step
	datagrams bool
	at        int    // the present step
	unmatched []byte // received, and not taken by a step yet
	received  int    // bytes, in all
}

// Converse returns the conversation of one check.
func (c *Check) Converse() *Conversation {
	return &Conversation{steps: c.Steps, datagrams: c.Network == UDP}
}

// Done reports whether all steps are taken.
func (c *Conversation) Done() bool { return c.at == len(c.steps) }

// Send returns the bytes that the present step sends, nil if it sends none.
func (c *Conversation) Send() []byte {
	if c.Done() || c.expects() {
		return nil
	}
	return c.steps[c.at].Send
}

// Sent says that the bytes of the present step are sent. The error is that of Receive,
// for bytes that were received before.
func (c *Conversation) Sent() error {
	c.at++
	return c.match()
}

// Receive takes bytes of the stream, or one datagram. The error says what was expected
// instead.
func (c *Conversation) Receive(b []byte) error {
	if c.datagrams {
		return c.receiveDatagram(b)
	}
	c.received += len(b)
	c.unmatched = append(c.unmatched, b...)
	return c.match()
}

// match takes the steps that what is received decides.
func (c *Conversation) match() error {
	for c.expects() && len(c.unmatched) > 0 {
		n, r := c.steps[c.at].Expect.match(c.unmatched, false)
		switch {
		case r == mismatched:
			return c.mismatch()
		case r == undecided && c.received > MaxReceived:
			return c.failed("no match in the first %d bytes, expected %s", MaxReceived, c.expected())
		case r == undecided:
			return nil
		}
		c.at++
		c.unmatched = c.unmatched[n:]
	}
	return nil
}

func (c *Conversation) receiveDatagram(b []byte) error {
	if !c.expects() {
		return nil
	}
	if _, r := c.steps[c.at].Expect.match(b, true); r != matched {
		c.unmatched = b
		return c.mismatch()
	}
	c.at++
	return nil
}

// Lags reports whether the present step searches so many bytes that the caller should
// let more arrive before it passes them on.
func (c *Conversation) Lags() bool {
	const many = 1 << 10
	if !c.expects() || len(c.unmatched) < many {
		return false
	}
	_, searches := c.steps[c.at].Expect.(*regexpPattern)
	return searches
}

// End returns the error that the stream has ended before the last step.
func (c *Conversation) End() error {
	switch {
	case !c.expects():
		return c.failed("the program closed the connection")
	case len(c.unmatched) == 0:
		return c.failed("the program closed the connection, expected %s", c.expected())
	}
	return c.failed("the program closed the connection after %s, expected %s", c.shown(), c.expected())
}

// Late returns the error that the time for the check is over before the last step.
func (c *Conversation) Late(within time.Duration) error {
	in := duration.Format(within)
	switch {
	case !c.expects():
		return c.failed("the program did not read what was sent within %s", in)
	case len(c.unmatched) == 0:
		return c.failed("no answer within %s, expected %s", in, c.expected())
	}
	return c.failed("received only %s within %s, expected %s", c.shown(), in, c.expected())
}

// Broken returns the error err of the connection during the present step.
func (c *Conversation) Broken(err error) error { return c.failed("%w", err) }

// expects reports whether the present step waits for bytes.
func (c *Conversation) expects() bool { return !c.Done() && c.steps[c.at].Expect != nil }

func (c *Conversation) mismatch() error {
	return c.failed("received %s, expected %s", c.shown(), c.expected())
}

func (c *Conversation) expected() string { return showPattern(c.steps[c.at].Expect) }

func (c *Conversation) shown() string { return c.steps[c.at].Expect.show(c.unmatched) }

// failed returns an error of the present step.
func (c *Conversation) failed(format string, args ...any) error {
	return fmt.Errorf("step %d: "+format, append([]any{min(c.at+1, len(c.steps))}, args...)...)
}
