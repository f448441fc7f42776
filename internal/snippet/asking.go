package snippet

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

const (
	// leastInterval is the shortest time between two questions that is written
	// down: no program asks faster to any use.
	leastInterval = 10 * time.Millisecond

	// answerTimeout is how long a program waits for an answer: a landmarkd that has
	// only just started holds its answers for up to a second.
	answerTimeout = 3 * time.Second
)

// asking is what every program is told: whom to ask, and how patiently.
type asking struct {
	Service  service
	Interval time.Duration // between two questions
	Patience time.Duration // how long silence is borne
}

// flags declares the flags. The defaults are what the times are already.
func (a *asking) flags(flags *flag.FlagSet) {
	flags.Var(&a.Service, "service", "the service's `NAME`, as landmark status lists it")
	flags.DurationVar(&a.Interval, "interval", cmp.Or(a.Interval, time.Second), "ask each server once in this `time`")
	flags.DurationVar(&a.Patience, "patience", cmp.Or(a.Patience, 3*time.Second), "bear silence for this `time`, as while landmarkd is restarted, before a server is out")
}

func (a *asking) check() error {
	switch {
	case a.Service == "":
		return errors.New("which service? Give -service NAME; landmark status lists them")
	case a.Interval < leastInterval || a.Interval > time.Hour:
		return fmt.Errorf("-interval %v is not between %v and 1h", a.Interval, leastInterval)
	case a.Patience < 100*time.Millisecond || a.Patience > time.Hour:
		return fmt.Errorf("-patience %v is not between 100ms and 1h", a.Patience)
	}
	return nil
}

// checkWholeSeconds returns an error if a program could not be told the interval,
// which it counts in whole seconds.
func (a *asking) checkWholeSeconds(program string) error {
	if a.Interval%time.Second != 0 {
		return fmt.Errorf("-interval %v is not in whole seconds, and %s counts in them", a.Interval, program)
	}
	return nil
}

// Failures is how many checks in a row have to fail before a server is out: the
// first, and all those within the patience.
func (a *asking) Failures() int {
	return 1 + int((a.Patience+a.Interval-1)/a.Interval)
}

// HangOut is how long after landmarkd knows of a hang a server is out, at most,
// by that many checks. Each is answered at once.
func (a *asking) HangOut() time.Duration {
	return time.Duration(a.Failures()) * a.Interval
}

// silenceOut is how long after its machine fell silent a server is out, at most,
// if each check waits for the given time and the next comes an interval later.
func (a *asking) silenceOut(timeout time.Duration) time.Duration {
	return time.Duration(a.Failures()) * (a.Interval + timeout)
}

// question returns, in hexadecimal, the bytes that ask how the service is. The
// nonce is always the same, for who compares bytes cannot make one up.
func (a *asking) question() (string, error) {
	frame, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindCheck, Service: []byte(a.Service)}, nil)
	return fmt.Sprintf("%X", frame), err
}

// servingLength is how many bytes of an answer say that it is to a CHECK, and
// serving: magic, version, kind and status.
const servingLength = 5

// serving returns, in hexadecimal, the bytes with which only a serving answer
// begins.
func serving() string {
	answer := lmp.Answer{Kind: lmp.KindCheck, Status: lmp.StatusServing}
	frame := lmp.AppendAnswer(nil, &answer, lmp.HeaderLength, nil)
	return fmt.Sprintf("%X", frame[:servingLength])
}
