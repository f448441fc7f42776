// Package sampler keeps the last hour of each service for plots: its weight, the lag of
// its main loops and the values of its Levels, one of each every ten seconds. Nothing
// here affects an answer.
//
// The memory is bounded, however much programs declare; see maxSeries.
package sampler

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

const (
	// Step is the time between two values.
	Step = 10 * time.Second
	// points is how many values of each series are kept: an hour of them.
	points = int(time.Hour / Step)
	// maxSeries is how many series all services have together. A series takes 736
	// bytes, so that all take at most 8 MiB. Each service may have an equal part, and
	// at most maxPerService, of which the first is its weight.
	maxSeries     = 11_400
	maxPerService = 33
)

// Source gives the values. Its methods are safe for concurrent use.
type Source interface {
	// Names returns the names of the known services.
	Names() []string
	// Status returns the status of a service, and whether it is known.
	Status(name string) (registry.ServiceStatus, bool)
}

// Sampler keeps the values. Its methods are safe for concurrent use.
type Sampler struct {
	source Source

	mu       sync.Mutex // guards what follows
	services map[string]*service
	next     int       // step
	sampled  time.Time // when the step before it was
}

// service is the series of one service.
type service struct {
	weight    ring
	landmarks map[key]*series
}

// key names the series of a landmark. A program and its host may have landmarks of the
// same name, but hardly of the same kind.
type key struct {
	name string
	kind judge.Kind
}

type series struct {
	ring
	limits judge.Limits // the last
	within time.Duration
}

// New returns a sampler that is empty until it runs.
func New(source Source) *Sampler {
	return &Sampler{source: source, services: make(map[string]*service)}
}

// Run takes a sample in each step until ctx is done, and returns nil.
func (s *Sampler) Run(ctx context.Context) error {
	ticker := time.NewTicker(Step)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.sample()
		}
	}
}

// sample takes one value of each series, and drops the series without a value in the
// last hour.
func (s *Sampler) sample() {
	names := s.source.Names()
	share := min(maxPerService, max(1, maxSeries/max(1, len(names))))
	if share*len(names) > maxSeries {
		names = names[:maxSeries]
	}
	s.mu.Lock()
	step := s.next
	s.mu.Unlock()
	known := make(map[string]struct{}, len(names))
	for _, name := range names {
		p, ok := s.source.Status(name)
		if !ok {
			continue
		}
		known[name] = struct{}{}
		a := p.Answers[judge.Readiness]
		records := a.Landmarks()
		s.mu.Lock()
		s.serviceOf(name).add(step, a.Weight, records, share-1)
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.services {
		if _, ok := known[name]; !ok {
			delete(s.services, name)
		}
	}
	s.next, s.sampled = step+1, time.Now()
}

// serviceOf returns the service, which it adds if it is new. The caller holds mu.
func (s *Sampler) serviceOf(name string) *service {
	v := s.services[name]
	if v == nil {
		v = &service{landmarks: make(map[key]*series)}
		s.services[name] = v
	}
	return v
}

// add adds the values of a step. Of more than share landmarks it keeps as many.
func (v *service) add(step int, weight uint8, landmarks []registry.Landmark, share int) {
	v.weight.add(step, float64(weight))
	for k, l := range v.landmarks {
		if l.next <= step-points || len(v.landmarks) > share {
			delete(v.landmarks, k)
		}
	}
	for i := range landmarks {
		r := &landmarks[i]
		value, ok := valueOf(r)
		if !ok {
			continue
		}
		k := key{r.Name, r.Kind}
		l := v.landmarks[k]
		switch {
		case l == nil && len(v.landmarks) >= share:
			continue
		case l == nil:
			l = new(series)
			v.landmarks[k] = l
		case l.next > step:
			continue // of the same name and kind
		}
		l.limits, l.within = r.Limits, r.Within
		l.add(step, value)
	}
}

// valueOf returns the value of a landmark that is plotted, and whether it is: a Level's
// number, or a Loop's lag in seconds. While a Loop fails, that is how long it has not
// answered.
func valueOf(r *registry.Landmark) (value float64, ok bool) {
	switch {
	case !r.Reached || r.Presumed:
		return math.NaN(), r.Kind == judge.KindLevel || r.Kind == judge.KindLoop
	case r.Kind == judge.KindLevel:
		return r.Value, true
	case r.Kind == judge.KindLoop && r.State == judge.Failing:
		return r.Age.Seconds(), true
	case r.Kind == judge.KindLoop:
		return r.Lag.Seconds(), true
	}
	return 0, false
}
