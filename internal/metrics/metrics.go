// Package metrics is landmarkd's metrics in the formats of Prometheus. It translates
// what the registry and the other parts know at the moment of a scrape, and judges
// nothing itself. docs/operations.md lists the metrics.
//
// client_golang collects those of landmarkd itself (own.go). Those of services, landmarks
// and checkers may be tens of thousands, and client_golang keeps some hundreds of bytes for
// each until all are collected. So they are encoded some at a time (encoder.go), from what
// is known at that moment, and a scrape needs little memory however many there are.
package metrics

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/histogram"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// Source gives the answers: outside tests, it is the registry. Its methods are safe for
// concurrent use.
type Source interface {
	// Names returns the sorted names of the known services.
	Names() []string
	// Status returns the status of a service, and whether it is known.
	Status(name string) (registry.ServiceStatus, bool)
	// LoopLags returns how long the Loops of a service took to answer.
	LoopLags(name string) histogram.Counts
	// Sessions returns how many sessions there were.
	Sessions() registry.SessionCounts
}

// Checkers returns the checkers that the front ends recorded. Its methods are safe for
// concurrent use.
type Checkers interface {
	ByService(service string) []checkers.Stats
	Unknown() []checkers.Unknown
	BFDSessions() []checkers.BFDStats
	Gate(service string) (checkers.GateStats, bool)
}

// Config configures Metrics.
type Config struct {
	Source   Source
	Checkers Checkers
	Own      Own          // of landmarkd itself
	Logger   *slog.Logger // nil = nothing is logged
}

// Metrics is the handler of /metrics. New makes it.
type Metrics struct {
	config   Config
	own      *prometheus.Registry
	pacer    pacer
	encoding *turn
	names    atomic.Pointer[[]string] // of the services at the last scrape
}

// New returns the handler.
func New(c Config) *Metrics {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Metrics{config: c, own: prometheus.NewRegistry(), encoding: newTurn()}
	m.own.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&ownCollector{own: c.Own, source: c.Source, scrapes: &m.pacer, began: time.Now()},
	)
	return m
}

// Registerer takes further collectors of landmarkd's own, of few metrics each.
func (m *Metrics) Registerer() prometheus.Registerer { return m.own }

// formats are protobuf, which alone can carry native histograms, and text.
var formats = []expfmt.Format{expfmt.NewFormat(expfmt.TypeProtoDelim), expfmt.NewFormat(expfmt.TypeTextPlain)}

// ServeHTTP answers a scrape, in text or as protobuf. All scrapes together use one core
// at most, and those of one client half of it. A client that reads slowly delays no
// other.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	format := expfmt.NegotiateAccept(r.Header, formats...)
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	end, err := m.pacer.begin(r.Context(), socket.ClientOf(r.RemoteAddr))
	switch {
	case errors.Is(err, errTooMany):
		w.Header().Set("Retry-After", strconv.Itoa(int(maxWait.Seconds())))
		http.Error(w, err.Error(), http.StatusTooManyRequests)
		return
	case err != nil:
		panic(http.ErrAbortHandler) // the client has left
	}
	e := newEncoder(w, format.FormatType() == expfmt.TypeProtoDelim, m.encoding)
	whole := false
	defer func() { end(e.release(), whole) }()
	own, err := m.own.Gather()
	if err != nil { // of one collector; the others' metrics are there
		m.config.Logger.Error("some metrics are missing", "err", err)
	}
	for _, family := range own {
		e.encode(family)
	}
	m.writeFamilies(e)
	if e.finish(); e.err != nil {
		panic(http.ErrAbortHandler) // half of the metrics must not look like all of them
	}
	whole = true
}

// serviceNames returns the names of the services. Scrapes share them while they stay the
// same: a client may read slowly.
func (m *Metrics) serviceNames() []string {
	names := m.config.Source.Names()
	if last := m.names.Load(); last != nil && slices.Equal(*last, names) {
		return *last
	}
	m.names.Store(&names)
	return names
}
