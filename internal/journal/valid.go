package journal

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// farthest is more than any instant or duration, 36 years. Below it no sum of some
// overflows.
const farthest = 1 << 60

// validator collects the first value that cannot be.
type validator struct{ err error }

func (v *validator) instant(name string, at judge.Instant) {
	if c.err == nil && (at > farthest || at < -farthest) {
		c.err = fmt.Errorf("the line is damaged: %s is %d", name, at)
	}
}

// past checks an instant that cannot be after the line. It may be far in the past.
func (v *validator) past(name string, at, now judge.Instant) {
	if c.err == nil && at > now {
		c.err = fmt.Errorf("the line is damaged: %s is after at_ns", name)
	}
}

func (v *validator) duration(name string, d time.Duration) {
	if c.err == nil && (d > farthest || d < 0) {
		c.err = fmt.Errorf("the line is damaged: %s is %d", name, d)
	}
}

func (v *validator) optional(name string, d *time.Duration) {
	if d != nil {
		c.duration(name, *d)
	}
}

// checkValues returns an error if a value of the line cannot be, so that no reader has to
// expect it.
func (l *Line) checkValues() error {
	var c validator
	c.instant("at_ns", l.At)
	if p := l.Policy; p != nil {
		for name, d := range map[string]time.Duration{
			"stale_after_ns": p.StaleAfter, "forget_after_ns": p.ForgetAfter, "fall_after_ns": p.FallAfter,
			"recover_after_ns": p.RecoverAfter, "slow_start_ns": p.SlowStart,
		} {
			c.duration(name, d)
		}
		for _, o := range p.Landmarks {
			c.optional("within_ns", o.Within)
			c.optional("start_within_ns", o.StartWithin)
			c.optional("ttl_ns", o.TTL)
		}
	}
	if f := l.Facts; f != nil {
		for _, in := range f.Instances {
			if p := in.Process; p != nil {
				c.instant("since_ns", p.Since)
				c.age(p.Reports)
				c.landmarks(p.Landmarks)
			}
		}
		if f.Host != nil {
			c.age(f.Host.Reads)
			c.landmarks(f.Host.Landmarks)
		}
		if h := f.History; h != nil {
			c.past("health_since_ns", h.HealthSince, l.At)
			c.past("serving_since_ns", h.ServingSince, l.At)
		}
	}
	if l.Ages != nil {
		c.instant("from_ns", l.Ages.From)
	}
	if l.Check != nil {
		c.instant("began_ns", l.Check.Began)
		c.duration("took_ns", l.Check.Took)
	}
	if l.Verdict != nil {
		for i := range l.Verdict.Landmarks {
			c.declared(&l.Verdict.Landmarks[i].Declared)
			c.duration("lag_ns", l.Verdict.Landmarks[i].Lag)
		}
	}
	return c.err
}

func (v *validator) age(a Age) {
	c.duration("floor_ns", a.Floor)
	c.instant("at_ns", a.At)
	c.instant("known_ns", a.Known)
}

func (v *validator) landmarks(all []Landmark) {
	for i := range all {
		l := &all[i]
		c.declared(&l.Declared)
		c.age(l.Age)
		c.instant("extended_to_ns", l.ExtendedTo)
	}
}

func (v *validator) declared(d *Declared) {
	c.duration("within_ns", d.Within)
	c.duration("start_within_ns", d.StartWithin)
	c.duration("ttl_ns", d.TTL)
	if c.err == nil && (d.Kind == Kind(0) || d.Impact == Impact(0)) {
		c.err = fmt.Errorf("the line is damaged: the landmark %.40q has no kind or no impact", d.Name)
	}
}
