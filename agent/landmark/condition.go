package landmark

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/contract"
)

// minCheckInterval is the shortest interval between two calls of a Check.
const minCheckInterval = 10 * time.Millisecond

// A Condition is something that is met or not, with a reason: a dependency
// answers, a table is loaded. It fails while it is not met, and with [TTL] also
// when it was not set for that time.
//
// A failing Condition takes the program out of service but does not restart it.
// Restarting a program because a dependency is down helps neither of them, so
// think twice before you give a Condition the impact [Critical].
//
// A Condition is safe for concurrent use, and does nothing when nil.
type Condition struct {
	settings counter
	latest   atomic.Pointer[setting] // nil until the first

	declaration   collector.Declaration
	set           *Set
	poller        *poller // nil without Check, like the two below
	checkInterval time.Duration
	checkTimeout  time.Duration
}

// A setting is what a Condition was set to. It never changes.
type setting struct {
	met    bool
	reason string // at most contract.MaxReason bytes
}

// A ConditionOption sets a property of a [Condition].
type ConditionOption interface {
	applyCondition(*Condition)
}

// conditionOption implements TTL and Check.
type conditionOption func(*Condition)

func (o conditionOption) applyCondition(c *Condition) { o(c) }

// TTL makes the condition fail when it was not set for the time d, 1 ms to 24 h.
// Without it, a setting counts until the next one.
func TTL(d time.Duration) ConditionOption {
	return conditionOption(func(c *Condition) { c.declaration.TTL = d })
}

// Check makes the agent check the condition: it calls check at once and then once
// per interval, 10 ms to 24 h, in the background, one call at a time. The condition
// is met when check returns nil. An error means that it is not met, and gives the
// reason. So does a check that does not return within timeout, 1 ms to 24 h. Then
// the context of the call is cancelled, as it is when the agent is closed, and
// check should return. It is not called again before it has returned, and nothing
// else waits for it.
//
// Let check do what the work does, on the same connections, and not more often
// than the dependency can bear from all programs that check it.
func Check(interval, timeout time.Duration, check func(context.Context) error) ConditionOption {
	return conditionOption(func(c *Condition) {
		c.checkInterval, c.checkTimeout = interval, timeout
		c.poller = new(poller)
		if check != nil {
			c.poller.call = func(ctx context.Context) { c.check(ctx, check) }
		}
	})
}

// Condition declares a landmark for something that is met or not, which the
// program sets with [Condition.Set], or the agent with [Check].
func (s *Set) Condition(name string, opts ...ConditionOption) *Condition {
	if s == nil {
		return nil
	}
	c := &Condition{
		declaration: collector.Declaration{Name: name, Kind: collector.KindCondition, Impact: uint8(Readiness)},
		set:         s,
	}
	c.settings.start()
	for _, o := range opts {
		o.applyCondition(c)
	}
	mark := collector.Landmark{Declaration: c.declaration, Sample: c.sample}
	if c.poller != nil {
		mark.CallProgram, mark.CallInterval = c.poller.run, c.checkInterval
	}
	s.declare(mark, c.validate())
	return c
}

// Set records whether the condition is met, and why. The reason is cut to 255
// bytes. Set never blocks, and allocates only when the setting changes.
func (c *Condition) Set(met bool, reason string) {
	if c == nil {
		return
	}
	reason = contract.CutText(reason, contract.MaxReason)
	changed := false // from met to not met, or back
	if last := c.latest.Load(); last == nil || last.met != met || last.reason != reason {
		// Clone, so that the rest of a long reason can be freed.
		last = c.latest.Swap(&setting{met, strings.Clone(reason)})
		changed = last == nil || last.met != met
	}
	if c.settings.add() || changed {
		c.settings.wake(c.set)
	}
}

// check calls check once and records the result, or that it did not return in
// time. It ignores what check returns later, or after parent is cancelled.
func (c *Condition) check(parent context.Context, check func(context.Context) error) {
	ctx, cancel := context.WithTimeout(parent, c.checkTimeout)
	defer cancel()
	stopTimeout := context.AfterFunc(ctx, func() {
		if parent.Err() == nil {
			c.Set(false, fmt.Sprintf("no answer within %v", c.checkTimeout))
		}
	})
	err := check(ctx)
	switch inTime := stopTimeout(); {
	case !inTime:
	case err != nil:
		c.Set(false, err.Error())
	default:
		c.Set(true, "")
	}
}

func (c *Condition) validate() error {
	if err := validate(c.declaration); err != nil {
		return err
	}
	ttl := c.declaration.TTL
	if ttl != 0 {
		if err := checkDuration("TTL", ttl); err != nil {
			return err
		}
	}
	if c.poller == nil {
		return nil
	}
	switch {
	case c.poller.call == nil:
		return errors.New("Check was given a nil function; give it one that checks the dependency")
	case c.checkInterval < minCheckInterval || c.checkInterval > contract.MaxDuration:
		return fmt.Errorf("the interval of a Check must be 10ms to 24h, not %v", c.checkInterval)
	case ttl != 0 && ttl < c.checkInterval+c.checkTimeout:
		return fmt.Errorf("a TTL of %v would run out between two checks, every %v with a timeout of %v; leave it out",
			ttl, c.checkInterval, c.checkTimeout)
	}
	return checkDuration("the timeout of a Check", c.checkTimeout)
}

func (c *Condition) sample(now time.Time) collector.Sample {
	// Read the count first. Then the setting is at least as new as the count.
	sample := c.settings.sample(now, c.declaration.TTL)
	if latest := c.latest.Load(); latest != nil {
		sample.Met = latest.met
		sample.Reason = strings.ToValidUTF8(latest.reason, "?") // never longer
	}
	return sample
}
