package landmark

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/contract"
)

// An Option sets a property that landmarks of every kind have.
type Option interface {
	LoopOption
	DeadlineOption
	LevelOption
	ConditionOption
	apply(*collector.Declaration)
}

// option implements Option.
type option func(*collector.Declaration)

func (o option) apply(d *collector.Declaration) { o(d) }
func (o option) applyLoop(l *Loop)              { o(&l.declaration) }
func (o option) applyDeadline(d *Deadline)      { o(&d.declaration) }
func (o option) applyLevel(l *Level)            { o(&l.declaration) }
func (o option) applyCondition(c *Condition)    { o(&c.declaration) }

// StartWithin makes the landmark fail when it is not reached within d of its
// declaration, 1 ms to 24 h. Without it, a landmark that was never reached counts
// as starting, without a limit.
func StartWithin(d time.Duration) Option {
	return option(func(declaration *collector.Declaration) { declaration.StartWithin = d })
}

// An Impact is what a failing landmark does to the service. It is an [Option]:
//
//	marks.Level("free disk space", landmark.Below(10, 5), landmark.Critical)
//
// The numbers are the same in every Landmark protocol.
type Impact uint8

const (
	// Critical fails liveness and readiness: a supervisor restarts the program,
	// and until then it gets no work. Critical is the default of Alive, Deadline
	// and Loop.
	Critical Impact = 1
	// Readiness fails readiness only: the program gets no work. Readiness is the
	// default of Condition.
	Readiness Impact = 2
	// Degrading lowers the weight only: the program gets less work. Degrading is
	// the default of Level.
	Degrading Impact = 3
	// Informational changes nothing. The landmark is only shown.
	Informational Impact = 4
)

func (i Impact) apply(d *collector.Declaration) { d.Impact = uint8(i) }
func (i Impact) applyLoop(l *Loop)              { i.apply(&l.declaration) }
func (i Impact) applyDeadline(d *Deadline)      { i.apply(&d.declaration) }
func (i Impact) applyLevel(l *Level)            { i.apply(&l.declaration) }
func (i Impact) applyCondition(c *Condition)    { i.apply(&c.declaration) }

// validate returns the first rule for landmarks of every kind that d breaks.
func validate(d collector.Declaration) error {
	if err := prefixed("the name", contract.CheckLandmarkName(d.Name)); err != nil {
		return err
	}
	if d.StartWithin != 0 {
		if err := checkDuration("StartWithin", d.StartWithin); err != nil {
			return fmt.Errorf("%w; leave it out for no limit", err)
		}
	}
	if i := Impact(d.Impact); i < Critical || i > Informational {
		return fmt.Errorf("impact %d is none of Critical, Readiness, Degrading and Informational", i)
	}
	return nil
}

// checkWithin returns an error unless d is a valid Within.
func checkWithin(d time.Duration) error { return prefixed("within", contract.CheckWithin(d)) }

// checkDuration returns an error, which begins with name, unless d is a valid
// duration.
func checkDuration(name string, d time.Duration) error {
	return prefixed(name, contract.CheckDuration(d))
}

// prefixed returns err with the name of the wrong value in front, nil if err is
// nil.
func prefixed(name string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s %w", name, err)
	}
	return err
}
