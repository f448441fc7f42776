package landmark

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/landmark-health/landmark/internal/contract"
)

// KindCondition is the kind of a [Condition].
const KindCondition Kind = 5

const (
	minEvery = 10 * time.Millisecond // between two calls of a Check
)

// A Condition is something that holds or does not, with a reason: a dependency
// that answers, a table that is loaded. It fails while it does not hold, and
// with a [TTL] also when nobody has said for so long that it does.
//
// A failing Condition takes the program out of service and leaves it alive. To
// start a program anew because another one is down helps neither, so think
// twice before giving it the impact Critical.
//
// A Condition is safe for concurrent use, and does nothing when nil.
type Condition struct {
	settings tally
	said     atomic.Pointer[statement] // nil until the first

	declaration Declaration
	set         *Set
	inquiry     *inquiry // nil without a Check
	timeout     time.Duration
}

// A statement is what was said of a Condition. It never changes.
type statement struct {
	met    bool
	reason string // at most contract.MaxReason bytes
}

// A ConditionOption sets something of a [Condition].
type ConditionOption interface {
	applyCondition(*Condition)
}

// conditionOption is the option that TTL and Check make.
type conditionOption func(*Condition)

func (o conditionOption) applyCondition(c *Condition) { o(c) }

// TTL lets the condition fail when it was not set for the time d, 1 ms to 24 h.
// Without it what was said holds until something else is said.
func TTL(d time.Duration) ConditionOption {
	return conditionOption(func(c *Condition) { c.declaration.TTL = d })
}

// Check makes the agent ask whether the condition holds: it calls check at once
// and then every so often, 10 ms to 24 h, in the background, one call at a time.
// An error means that it does not hold, for the reason that the error gives; no
// answer within timeout, 1 ms to 24 h, that it does not either. Then check's
// context is done, at the latest when the agent is closed, and check should
// return. Until it has, it is not called again, and nothing else waits for it.
//
// check is the program's own word. Let it do what the work does, with the same
// connections, and no more often than the dependency can bear from all the
// programs that ask.
func Check(every, timeout time.Duration, check func(context.Context) error) ConditionOption {
	return conditionOption(func(c *Condition) {
		c.timeout = timeout
		c.inquiry = &inquiry{every: every}
		if check != nil {
			c.inquiry.ask = func(ctx context.Context) { c.check(ctx, check) }
		}
	})
}

// Condition declares a landmark for something that holds or does not, as said
// by [Condition.Set], or asked by a [Check].
func (s *Set) Condition(name string, opts ...ConditionOption) *Condition {
	if s == nil {
		return nil
	}
	c := &Condition{
		declaration: Declaration{Name: name, Kind: KindCondition, Impact: Readiness},
		set:         s,
	}
	c.settings.begin()
	for _, o := range opts {
		o.applyCondition(c)
	}
	s.declare(c.declaration, c)
	return c
}

// Set records whether the condition holds, and why, of which 255 bytes are
// kept. It never blocks, and allocates only when it says something else than
// the last time.
func (c *Condition) Set(ok bool, reason string) {
	if c == nil {
		return
	}
	reason = cut(reason)
	turned := false
	if last := c.said.Load(); last == nil || last.met != ok || last.reason != reason {
		// The copy keeps what the reason was cut from out of memory.
		last = c.said.Swap(&statement{ok, strings.Clone(reason)})
		turned = last == nil || last.met != ok
	}
	if c.settings.add() || turned {
		c.settings.wake(c.set)
	}
}

// cut returns as much of s as a reason may hold, whole characters.
func cut(s string) string {
	if len(s) <= contract.MaxReason {
		return s
	}
	end := contract.MaxReason
	for end > contract.MaxReason-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// check asks once, and records the answer, or that there is none in time. What
// is answered later, or when the carrier has gone, says nothing.
func (c *Condition) check(carried context.Context, check func(context.Context) error) {
	ctx, cancel := context.WithTimeout(carried, c.timeout)
	defer cancel()
	inTime := context.AfterFunc(ctx, func() {
		if carried.Err() == nil {
			c.Set(false, fmt.Sprintf("no answer within %v", c.timeout))
		}
	})
	err := check(ctx)
	switch {
	case !inTime():
	case err != nil:
		c.Set(false, err.Error())
	default:
		c.Set(true, "")
	}
}

func (c *Condition) validate() error {
	d := c.declaration
	if err := d.validate(); err != nil {
		return err
	}
	if d.TTL != 0 {
		if err := checkDuration("TTL", d.TTL); err != nil {
			return err
		}
	}
	if c.inquiry == nil {
		return nil
	}
	every := c.inquiry.every
	switch {
	case c.inquiry.ask == nil:
		return errors.New("Check was given a nil function; give it one that asks the dependency")
	case every < minEvery || every > contract.MaxDuration:
		return fmt.Errorf("Check asks every 10ms to 24h, not every %v", every)
	case d.TTL != 0 && d.TTL < every+c.timeout:
		return fmt.Errorf("a TTL of %v would run out between two checks, every %v with a timeout of %v; leave it out",
			d.TTL, every, c.timeout)
	}
	return checkDuration("the timeout of a Check", c.timeout)
}

func (c *Condition) read(now time.Time) Reading {
	// The count first: what was said is then at least as new.
	r := c.settings.read(now, c.declaration.TTL)
	if said := c.said.Load(); said != nil {
		r.Met = said.met
		r.Reason = strings.ToValidUTF8(said.reason, "?") // never longer
	}
	return r
}

func (c *Condition) asked() *inquiry { return c.inquiry }
