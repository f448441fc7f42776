package metrics

import (
	dto "github.com/prometheus/client_model/go"
)

// The types of families.
const (
	gauge         = dto.MetricType_GAUGE
	counter       = dto.MetricType_COUNTER
	histogramType = dto.MetricType_HISTOGRAM
)

// scrape is one scrape.
type scrape struct {
	*encoder
	source   Source
	checkers Checkers
	names    []string // of the services
}

// writeFamilies writes the metrics of services, landmarks and checkers.
func (m *Metrics) writeFamilies(e *encoder) {
	s := &scrape{encoder: e, source: m.config.Source, checkers: m.config.Checkers, names: m.serviceNames()}
	for i := range serviceFamilies {
		s.writeServices(&serviceFamilies[i])
	}
	s.writeLoopLags()
	omittedLandmarks := 0
	for i := range landmarkFamilies {
		omittedLandmarks = s.writeLandmarks(&landmarkFamilies[i])
	}
	omittedCheckers := 0
	for i := range checkerFamilies {
		omittedCheckers = s.writeCheckers(&checkerFamilies[i])
	}
	s.writePeers()
	s.begin("landmark_metrics_omitted", "Landmarks and checkers that are beyond the limits of these metrics.", gauge)
	labels := []string{"what"}
	s.add(float64(omittedLandmarks), labels, "landmarks")
	s.add(float64(omittedCheckers), labels, "checkers")
}

// oneIf returns 1 for true and 0 for false.
func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
