package metrics

import (
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/landmark-health/landmark/internal/histogram"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// serviceFamily is a family with metrics of each service.
type serviceFamily struct {
	name, help string
	kind       dto.MetricType
	labels     []string
	write      func(s *scrape, labels []string, of *registry.ServiceStatus)
}

// perAspect returns the write of a family with one metric for each aspect.
func perAspect(value func(a *registry.Answer) float64) func(*scrape, []string, *registry.ServiceStatus) {
	return func(s *scrape, labels []string, of *registry.ServiceStatus) {
		for a := range of.Answers {
			s.add(value(&of.Answers[a]), labels, of.Name, judge.Aspect(a).String())
		}
	}
}

// perService returns the write of a family with one metric for each service.
func perService(value func(of *registry.ServiceStatus) float64) func(*scrape, []string, *registry.ServiceStatus) {
	return func(s *scrape, labels []string, of *registry.ServiceStatus) { s.add(value(of), labels, of.Name) }
}

var (
	byService = []string{"service"}
	byAspect  = []string{"service", "aspect"}
)

var serviceFamilies = []serviceFamily{
	{"landmark_serving", "Whether the aspect of the service is SERVING.", gauge, byAspect,
		perAspect(func(a *registry.Answer) float64 { return oneIf(a.Status == judge.Serving) })},
	{"landmark_cause", "Why the aspect of the service is not SERVING.", gauge, []string{"service", "aspect", "cause"}, writeCauses},
	{"landmark_weight_ratio", "The share of its capacity that the service can use.", gauge, byService,
		perService(func(of *registry.ServiceStatus) float64 { return float64(of.Answers[judge.Readiness].Weight) / 100 })},
	{"landmark_status_age_seconds", "For how long the status holds.", gauge, byAspect,
		perAspect(func(a *registry.Answer) float64 { return a.StatusAge.Seconds() })},
	{"landmark_changes_total", "Changes of status or cause.", counter, byAspect,
		perAspect(func(a *registry.Answer) float64 { return float64(a.Changes) })},
	{"landmark_facts_age_seconds", "The age of the facts behind the readiness of the service.", gauge, byService,
		perService(func(of *registry.ServiceStatus) float64 { return of.Answers[judge.Readiness].Age.Seconds() })},
	{"landmark_instances", "The processes of the service, by whether they report.", gauge, []string{"service", "presence"}, writeInstances},
	{"landmark_drained", "Whether an operator drains the service.", gauge, byService,
		perService(func(of *registry.ServiceStatus) float64 { return oneIf(of.Drained) })},
	{"landmark_failing_landmarks", "Landmarks of the service that fail, at most 255.", gauge, byService,
		perService(func(of *registry.ServiceStatus) float64 { return float64(of.Answers[judge.Readiness].Failing) })},
}

func writeCauses(s *scrape, labels []string, of *registry.ServiceStatus) {
	for a := range of.Answers {
		if answer := &of.Answers[a]; answer.Status != judge.Serving {
			s.add(1, labels, of.Name, judge.Aspect(a).String(), answer.Cause.String())
		}
	}
}

func writeInstances(s *scrape, labels []string, of *registry.ServiceStatus) {
	s.add(float64(of.Instances[judge.Connected]), labels, of.Name, "connected")
	s.add(float64(of.Instances[judge.Vacant]), labels, of.Name, "lost")
	s.add(float64(of.Instances[judge.Awaited]), labels, of.Name, "awaited")
}

// writeServices writes a family.
func (s *scrape) writeServices(f *serviceFamily) {
	s.begin(f.name, f.help, f.kind)
	for _, name := range s.names {
		if s.err != nil {
			return // the client has left
		}
		if of, known := s.source.Status(name); known {
			f.write(s, f.labels, &of)
		}
	}
}

// writeLoopLags writes the histograms of the services that have a Loop.
func (s *scrape) writeLoopLags() {
	s.begin("landmark_loop_lag_seconds", "How long the Loops of the service took to answer.", histogramType)
	for _, name := range s.names {
		if lags := s.source.LoopLags(name); lags.Count > 0 {
			s.addHistogram(nativeHistogram(lags), byService, name)
		}
	}
}

// nativeHistogram returns the counts as Prometheus's native histogram.
func nativeHistogram(c histogram.Counts) *dto.Histogram {
	var m dto.Metric
	mustHistogram(noDesc, c, time.Time{}).Write(&m)
	m.Histogram.CreatedTimestamp = nil // Prometheus finds out by itself that a service is new
	return m.Histogram
}
