package main

import (
	"context"

	"github.com/landmark-health/landmark/test/bench/report"
)

// extra is what something costs landmarkd beyond a workload.
type extra struct {
	what       string
	with, base workload
	most       float64 // percent of a core
}

var extras = []extra{
	{"64 BFD sessions at 1 s: processor time", workload{services: 1, landmarks: 1, peers: 64}, workload{services: 1, landmarks: 1}, 0.5},
	{
		"64 open pages over 1,000 services of 20 landmarks of which 50 change each second: processor time",
		workload{services: 1000, landmarks: 20, connections: 10, changes: 50, pages: 64},
		workload{services: 1000, landmarks: 20, connections: 10, changes: 50}, 10,
	},
	{
		"a scrape a second of the metrics of 1,000 services of 20 landmarks: processor time",
		workload{services: 1000, landmarks: 20, connections: 10, scrapes: true},
		workload{services: 1000, landmarks: 20, connections: 10}, 10, // 100 ms for a scrape
	},
}

// extraRows have a row for each extra.
func extraRows() (rows []row) {
	for _, e := range extras {
		rows = append(rows, row{
			name:    "extra " + e.what,
			lines:   []report.Line{{What: e.what + ", beyond what the same costs without", Unit: "%", Goal: report.Goal{AtMost: e.most}}},
			measure: e.measure,
		})
	}
	return rows
}

func (e extra) measure(ctx context.Context, s *suite) (m measured, err error) {
	for _, w := range []*workload{&e.with, &e.base} {
		w.services, w.peers = s.size(w.services), min(w.peers, s.size(6400))
		w.pages, w.connections, w.changes = min(w.pages, w.services), min(w.connections, w.services), min(w.changes, w.services)
	}
	with, err := s.cost(ctx, e.with, false)
	if err != nil {
		return m, err
	}
	if s.short {
		m.figures = []figure{amount(with.cpu, "")}
		return m, nil
	}
	base, err := s.cost(ctx, e.base, false)
	if err != nil {
		return m, err
	}
	m.figures = []figure{amount(with.cpu-base.cpu, report.Digits(with.cpu)+" % beside "+report.Digits(base.cpu)+" %")}
	return m, nil
}
