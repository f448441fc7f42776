package landmark

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
)

// A Kind is the way in which a landmark shows whether the program does its
// work. The numbers are those of every Landmark protocol; each kind stands in
// the file of its landmark.
type Kind uint8

// An Impact is what a failing landmark does to the service. The numbers are
// those of every Landmark protocol.
type Impact uint8

const (
	// Critical fails liveness and readiness: the program is to be restarted,
	// and until then gets no work. The default of Alive, Deadline and Loop.
	Critical Impact = 1
	// Readiness fails readiness alone: the program gets no work. The default of
	// Condition.
	Readiness Impact = 2
	// Degrading lowers the weight alone: the program gets less work. The
	// default of Level.
	Degrading Impact = 3
	// Informational does nothing; the landmark is shown.
	Informational Impact = 4
)

// A Declaration says what a landmark is. It never changes.
type Declaration struct {
	Name   string // 1 to 128 bytes of printable UTF-8
	Kind   Kind
	Impact Impact
	// Within is how long an Alive may go unreached, a piece of a Deadline's work
	// may be open, and a Loop may take to answer: 100 ms to 24 h.
	Within time.Duration
	// StartWithin is how long it may take to be reached for the first time,
	// counted from its making: 1 ms to 24 h, or 0 for as long as it takes.
	StartWithin time.Duration
	Limits      Limits // of a Level
	// TTL is how long what was said of a Condition holds: 1 ms to 24 h, or 0 for
	// until something else is said.
	TTL time.Duration
}

// An Option sets what is common to every kind of landmark.
type Option interface {
	LoopOption
	DeadlineOption
	LevelOption
	ConditionOption
	apply(*Declaration)
}

// option is an Option, and so an option of each kind.
type option func(*Declaration)

func (o option) apply(d *Declaration)        { o(d) }
func (o option) applyLoop(l *Loop)           { o(&l.declaration) }
func (o option) applyDeadline(d *Deadline)   { o(&d.declaration) }
func (o option) applyLevel(l *Level)         { o(&l.declaration) }
func (o option) applyCondition(c *Condition) { o(&c.declaration) }

// StartWithin lets the landmark fail when it was not reached within d of its
// making, d being 1 ms to 24 h. Without it a landmark that was never reached
// counts as starting, for as long as it takes.
func StartWithin(d time.Duration) Option {
	return option(func(to *Declaration) { to.StartWithin = d })
}

// WithImpact sets what the landmark does to the service when it fails.
func WithImpact(i Impact) Option {
	return option(func(to *Declaration) { to.Impact = i })
}

// validate returns the first of the rules for all kinds that d breaks.
func (d Declaration) validate() error {
	if err := named("the name", contract.CheckLandmarkName(d.Name)); err != nil {
		return err
	}
	if d.StartWithin != 0 {
		if err := checkDuration("StartWithin", d.StartWithin); err != nil {
			return fmt.Errorf("%w; leave it out for as long as it takes", err)
		}
	}
	if d.Impact < Critical || d.Impact > Informational {
		return fmt.Errorf("impact %d is none of Critical, Readiness, Degrading and Informational", d.Impact)
	}
	return nil
}

// checkWithin returns an error unless d is a time that a landmark may go
// unreached.
func checkWithin(d time.Duration) error { return named("within", contract.CheckWithin(d)) }

// checkDuration returns an error unless d, called what, is a time that a
// declaration may hold.
func checkDuration(what string, d time.Duration) error {
	return named(what, contract.CheckDuration(d))
}

// named begins the error, if there is one, with the name of what it is about.
func named(what string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s %w", what, err)
	}
	return err
}
