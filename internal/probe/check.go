// Package probe is the pure part of an active check: what is sent to a program, what
// is expected of it, and what a series of checks says of it. It has no clock, no
// socket and no goroutine.
//
// A [Check] is a list of steps, which a [Conversation] takes one after the other. What
// a program sends is matched from its first byte on: an expectation takes the bytes
// that it matches, and the next one begins after them. So the result does not depend
// on how the network divides the bytes. On UDP each send is one datagram, and each
// expectation takes one.
package probe

import (
	"errors"
	"slices"
	"time"
)

// The limits of a check.
const (
	MaxSteps    = 32
	MaxStep     = 4 << 10  // bytes of a step: sent, or expected as text or hex
	MaxReceived = 16 << 10 // bytes received in a check
)

// Name is the name of the landmark that a service's probe is.
const Name = "probe"

// slack is how late the prober may be before its last result expires.
const slack = 500 * time.Millisecond

// Network is how the program is reached. The names are those of package net.
type Network string

// The networks.
const (
	TCP  Network = "tcp"
	UDP  Network = "udp"
	Unix Network = "unix"
)

// Check is an active check of one service. It is immutable.
type Check struct {
	Network Network
	Address string // HOST:PORT, or the path of a Unix socket
	Every   time.Duration
	Within  time.Duration // for one check
	Fall    int           // how many checks in a row must fail before it does not hold
	Rise    int           // how many must succeed before it holds again
	Steps   []Step
}

// Step is one step of a check: it sends, or it expects.
type Step struct {
	Send   []byte
	Expect Pattern // nil if it sends
}

// ValidFor returns how long after its beginning a check says something about the
// program. By then the next one must have ended, however long both take.
func (c *Check) ValidFor() time.Duration { return max(c.Every, c.Within) + c.Within + slack }

// AsksAs reports whether both ask the same program the same.
func (c *Check) AsksAs(d *Check) bool {
	return c.Network == d.Network && c.Address == d.Address && slices.EqualFunc(c.Steps, d.Steps, Step.equal)
}

// Equal reports whether both are the same, or there is neither.
func (c *Check) Equal(d *Check) bool {
	if c == nil || d == nil {
		return c == d
	}
	return c.AsksAs(d) && c.Every == d.Every && c.Within == d.Within && c.Fall == d.Fall && c.Rise == d.Rise
}

func (s Step) equal(t Step) bool {
	if s.Expect == nil || t.Expect == nil {
		return s.Expect == t.Expect && string(s.Send) == string(t.Send)
	}
	return s.Expect.String() == t.Expect.String()
}

// CheckSteps returns an error if the steps cannot show that the program answers.
func CheckSteps(steps []Step) error {
	if slices.ContainsFunc(steps, func(s Step) bool { return s.Expect != nil }) {
		return nil
	}
	return errors.New("expects nothing, so an open port alone would do: write a step with expect, expect_hex or expect_regexp")
}

// On returns an error if the step cannot be taken on the network.
func (s Step) On(n Network) error {
	if r, ok := s.Expect.(*regexpPattern); ok && n != UDP {
		return r.checkStream()
	}
	return nil
}
