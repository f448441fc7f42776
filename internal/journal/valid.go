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
	if v.err == nil && (at > farthest || at < -farthest) {
		v.err = fmt.Errorf("the line is damaged: %s is %d", name, at)
	}
}

// past checks an instant that cannot be after the line. It may be far in the past.
func (v *validator) past(name string, at, now judge.Instant) {
	if v.err == nil && at > now {
		v.err = fmt.Errorf("the line is damaged: %s is after at_ns", name)
	}
}

func (v *validator) duration(name string, d time.Duration) {
	if v.err == nil && (d > farthest || d < 0) {
		v.err = fmt.Errorf("the line is damaged: %s is %d", name, d)
	}
}

func (v *validator) optional(name string, d *time.Duration) {
	if d != nil {
		v.duration(name, *d)
	}
}

// checkValues returns an error if a value of the line cannot be, so that no reader has to
// expect it.
func (l *Line) checkValues() error {
	var v validator
	v.instant("at_ns", l.At)
	if p := l.Policy; p != nil {
		for name, d := range map[string]time.Duration{
			"stale_after_ns": p.StaleAfter, "forget_after_ns": p.ForgetAfter, "fall_after_ns": p.FallAfter,
			"recover_after_ns": p.RecoverAfter, "slow_start_ns": p.SlowStart,
		} {
			v.duration(name, d)
		}
		for _, o := range p.Landmarks {
			v.optional("within_ns", o.Within)
			v.optional("start_within_ns", o.StartWithin)
			v.optional("ttl_ns", o.TTL)
		}
	}
	if f := l.Facts; f != nil {
		for _, in := range f.Instances {
			if p := in.Process; p != nil {
				v.instant("since_ns", p.Since)
				v.age(p.Reports)
				v.landmarks(p.Landmarks)
			}
		}
		if f.Host != nil {
			v.age(f.Host.Reads)
			v.landmarks(f.Host.Landmarks)
		}
		if h := f.History; h != nil {
			v.past("health_since_ns", h.HealthSince, l.At)
			v.past("serving_since_ns", h.ServingSince, l.At)
		}
	}
	if l.Ages != nil {
		v.instant("from_ns", l.Ages.From)
	}
	if l.Check != nil {
		v.instant("began_ns", l.Check.Began)
		v.duration("took_ns", l.Check.Took)
	}
	if l.Verdict != nil {
		for i := range l.Verdict.Landmarks {
			v.declared(&l.Verdict.Landmarks[i].Declared)
			v.duration("lag_ns", l.Verdict.Landmarks[i].Lag)
		}
	}
	return v.err
}

func (v *validator) age(a Age) {
	v.duration("floor_ns", a.Floor)
	v.instant("at_ns", a.At)
	v.instant("known_ns", a.Known)
}

func (v *validator) landmarks(all []Landmark) {
	for i := range all {
		l := &all[i]
		v.declared(&l.Declared)
		v.age(l.Age)
		v.instant("extended_to_ns", l.ExtendedTo)
	}
}

func (v *validator) declared(d *Declared) {
	v.duration("within_ns", d.Within)
	v.duration("start_within_ns", d.StartWithin)
	v.duration("ttl_ns", d.TTL)
	if v.err == nil && (d.Kind == Kind(0) || d.Impact == Impact(0)) {
		v.err = fmt.Errorf("the line is damaged: the landmark %.40q has no kind or no impact", d.Name)
	}
}
