// Package collector is the agent's side of a landmark.Set: it lists the
// landmarks, samples them, and sends the get-state command to Loops. It is
// internal, so that package landmark offers a program only what the program
// calls.
package collector

import (
	"context"
	"time"
)

// Of returns the collector's side of a set, which must be a *landmark.Set and
// not nil. Package landmark sets it when it is initialized: it imports this
// package, so this package cannot import it.
var Of func(set any) Set

// A Set is the collector's side of a landmark.Set. It is safe for concurrent
// use.
type Set interface {
	// Landmarks returns the landmarks to report, in the order of their
	// declaration. Later calls return the same ones first. The caller must not
	// change the slice.
	Landmarks() []Landmark
	// Err returns the set's first error.
	Err() error
	// Watch returns a channel that becomes ready after an event worth a look:
	//
	//   - A landmark was declared, or reached for the first time.
	//   - A landmark whose age was at least half of its limit when last sampled
	//     was reached, or its piece of work ended.
	//   - A Loop answered for the first time, or late as above, or a command of
	//     RequestState.
	//   - A Level crossed a limit, or a Condition changed between met and not met.
	//
	// One receive may stand for many events. The caller calls stop when it no
	// longer needs the channel.
	Watch() (changed <-chan struct{}, stop func())
}

// A Landmark is one landmark of a [Set].
type Landmark struct {
	Declaration

	// Sample returns the facts at the time now, which must hold a monotonic
	// clock reading. Most landmarks do not read the clock themselves, so their
	// ages are only as exact as the interval between two samples. Sample them
	// several times in their Within or TTL, even when no report can be sent.
	Sample func(now time.Time) Sample

	// Stack returns the call stack, as of runtime.Callers, that reached the landmark when
	// that was last recorded: at first, and now and then. It returns nil if there is
	// none. It is nil for other kinds than Alive, Deadline and Loop.
	Stack func() []uintptr

	// SendCommand sends the get-state command to a Loop at the time now, unless
	// one is open already, and returns at once. The loop has answered after the
	// call when a Sample's Count exceeds answers. It is nil for other kinds.
	SendCommand func(now time.Time) (answers uint64)

	// RequestState is SendCommand for a caller who waits for the answer: it is an
	// event for Watch.
	RequestState func(now time.Time) (answers uint64)

	// CallProgram calls the program's function of a Level or Condition that has one, and
	// records the result. It returns when the function does, however long that
	// takes, so call it on its own goroutine. It returns at once while another
	// call is running. After ctx is cancelled, the result of a Condition's check
	// is ignored. CallProgram is nil for landmarks without a function.
	CallProgram func(ctx context.Context)
	// CallInterval is how often to call CallProgram, 0 = once for each report.
	CallInterval time.Duration
}

// A Kind is how a landmark shows whether the program does its work. The numbers
// are the same in every Landmark protocol.
type Kind uint8

// The kinds of landmarks.
const (
	KindAlive     Kind = 1
	KindDeadline  Kind = 2
	KindLoop      Kind = 3
	KindLevel     Kind = 4
	KindCondition Kind = 5
)

// A Declaration says what a landmark is. It never changes.
type Declaration struct {
	Name   string // 1 to 128 bytes of printable UTF-8
	Kind   Kind
	Impact uint8 // a landmark.Impact
	// Within is the longest time between two passes of an Alive, for a piece of
	// work of a Deadline, or until the answer of a Loop: 100 ms to 24 h.
	Within time.Duration
	// StartWithin is the longest time from the declaration until the landmark is
	// reached for the first time: 1 ms to 24 h, or 0 = no limit.
	StartWithin time.Duration
	Limits      Limits // Level
	// TTL is for how long a setting of a Condition counts: 1 ms to 24 h, or 0 =
	// until the next setting.
	TTL time.Duration
}

// A Sample is what is known of a landmark at one instant.
type Sample struct {
	Reached bool // at least once since the declaration: passed, begun, answered or set
	// Age is the time since the last pass (Alive), answer (Loop) or setting
	// (Level, Condition), or since the oldest open piece of work began (Deadline;
	// if none is open, since the last one ended). If the landmark was never
	// reached, it is the time since the declaration.
	Age   time.Duration
	Count uint64 // passes, pieces of work begun, answers or settings
	// Open means that a Loop has not answered its command yet, or that a piece of
	// a Deadline's work is open.
	Open bool
	// Lag of a Loop is the time from sending the last answered command to its
	// answer.
	Lag time.Duration
	// Pending is the number of open pieces of a Deadline's work. A piece that
	// ends during the sampling may be counted together with the next one in its
	// slot.
	Pending uint64
	Value   float64 // Level: the number, finite
	Met     bool    // Condition: it holds
	Reason  string  // Condition: why, at most 255 bytes of UTF-8
}

// Limits are the limits of a Level, finite numbers.
type Limits struct {
	DegradeAt float64 // the weight falls from here towards FailAt
	FailAt    float64 // the landmark fails from here on
	Below     bool    // small numbers are bad
}

// Crossed reports whether a limit lies between the two numbers, so that the
// change is worth a report at once.
func (l Limits) Crossed(from, to float64) bool { return l.zone(from) != l.zone(to) }

// zone returns 0 for a good number, 1 for a degraded and 2 for a failing one.
func (l Limits) zone(n float64) int {
	degrade, fail := l.DegradeAt, l.FailAt
	if l.Below {
		n, degrade, fail = -n, -degrade, -fail
	}
	switch {
	case n >= fail:
		return 2
	case n > degrade:
		return 1
	}
	return 0
}
