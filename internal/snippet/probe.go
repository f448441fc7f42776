package snippet

import (
	"cmp"
	"flag"
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/lmp"
)

const (
	// minInterval is the shortest interval. None of the programs can make use of a
	// shorter one.
	minInterval = 10 * time.Millisecond

	// answerTimeout is how long a program waits for an answer. A landmarkd that has
	// just started holds its answers for up to a second.
	answerTimeout = 3 * time.Second
)

// probe is what every program needs: which service to check, how often, and how long to
// tolerate silence.
type probe struct {
	Service  service
	Interval time.Duration
	Patience time.Duration
}

// flags declares the flags. The defaults are the times that are set already.
func (p *probe) flags(flags *flag.FlagSet) {
	p.Service.flag(flags)
	duration.Var(flags, &p.Interval, "interval", cmp.Or(p.Interval, time.Second), "check each server once in this `time`")
	duration.Var(flags, &p.Patience, "patience", cmp.Or(p.Patience, 3*time.Second), "tolerate silence for this `time`, as during a restart of landmarkd, before a server is out")
}

func (p *probe) validate() error {
	if err := p.Service.validate(); err != nil {
		return err
	}
	switch {
	case p.Interval < minInterval || p.Interval > time.Hour:
		return fmt.Errorf("-interval %v is not between %v and 1h", p.Interval, minInterval)
	case p.Patience < 100*time.Millisecond || p.Patience > time.Hour:
		return fmt.Errorf("-patience %v is not between 100ms and 1h", p.Patience)
	}
	return nil
}

// validateWholeSeconds returns an error if the interval is not in whole seconds, the unit
// of the program.
func (p *probe) validateWholeSeconds(program string) error {
	if p.Interval%time.Second != 0 {
		return fmt.Errorf("-interval %v is not in whole seconds, and %s counts in them", p.Interval, program)
	}
	return nil
}

// Warnings implements Program.
func (p *probe) Warnings() []string { return nil }

// Failures returns how many checks in a row must fail before a server is out: the first,
// and all within the patience.
func (p *probe) Failures() int {
	return 1 + int((p.Patience+p.Interval-1)/p.Interval)
}

// HangOut returns the longest time from when landmarkd detects a hang until the server
// is out, by that many checks. Each is answered at once.
func (p *probe) HangOut() time.Duration {
	return time.Duration(p.Failures()) * p.Interval
}

// silenceOut returns the longest time from when a machine falls silent until the server
// is out, if each check waits for the timeout and the next comes an interval later.
func (p *probe) silenceOut(timeout time.Duration) time.Duration {
	return time.Duration(p.Failures()) * (p.Interval + timeout)
}

// request returns an LMP CHECK of the service in hexadecimal. Its nonce is constant,
// because a program that only sends bytes cannot make one.
func (p *probe) request() (string, error) {
	frame, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindCheck, Service: []byte(p.Service)}, nil)
	return fmt.Sprintf("%X", frame), err
}

// servingLength is the length of the part of an answer that means that it answers a
// CHECK, with serving: magic, version, kind and status.
const servingLength = 5

// serving returns the first bytes of every serving answer, and of no other, in
// hexadecimal.
func serving() string {
	answer := lmp.Answer{Kind: lmp.KindCheck, Status: lmp.StatusServing}
	frame := lmp.AppendAnswer(nil, &answer, lmp.HeaderLength, nil)
	return fmt.Sprintf("%X", frame[:servingLength])
}
