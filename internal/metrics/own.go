package metrics

import (
	"iter"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/histogram"
	"github.com/landmark-health/landmark/internal/journal"
)

// Own is what landmarkd knows of itself. All functions are safe for concurrent use, and
// may be nil.
type Own struct {
	Version    string
	Answers    map[string]*frontend.Answers                // by front end, as checkers are listed
	Refused    map[string]iter.Seq2[string, uint64]        // by front end: requests without an answer, by reason
	Closed     iter.Seq2[string, uint64]                   // connections that were closed at a limit, by whose they were
	Pauses     func() (number uint64, total time.Duration) // of landmarkd
	Reloads    func() Reloads
	LogDropped func() uint64 // lines that are missing in the log
	Journal    func() journal.Stats
}

// Reloads are the loads of the configuration.
type Reloads struct {
	OK, Failed uint64
	LastFailed bool
	LastOK     time.Time // zero = there is no configuration
}

var (
	buildInfo          = desc("landmark_build_info", "The version of landmarkd and of Go.", "version", "goversion")
	answers            = desc("landmark_answers_total", "Answers to requests.", "front_end")
	answerDuration     = desc("landmark_answer_duration_seconds", "From reading a request until its answer is sent.", "front_end", "waited")
	refused            = desc("landmark_requests_refused_total", "Requests without an answer, and discarded packets.", "front_end", "reason")
	connectionsRefused = desc("landmark_connections_refused_total", "Connections that were closed because too many are open.", "of")
	sessions           = desc("landmark_sessions", "Processes that report.")
	sessionsOpened     = desc("landmark_sessions_opened_total", "Sessions of processes that began.")
	sessionsEnded      = desc("landmark_sessions_ended_total", "Sessions of processes that ended.", "how")
	sessionsRefused    = desc("landmark_sessions_refused_total", "Processes that were refused.", "reason")
	clockPauses        = desc("landmark_clock_pauses_total", "Pauses of landmarkd itself.")
	clockPaused        = desc("landmark_clock_paused_seconds_total", "How long the pauses of landmarkd were together.")
	reloads            = desc("landmark_config_reloads_total", "Loads of the configuration.", "result")
	lastReloadOK       = desc("landmark_config_last_reload_successful", "Whether the last load of the configuration succeeded.")
	lastReloadTime     = desc("landmark_config_last_reload_success_timestamp_seconds", "When the configuration in effect was loaded.")
	logDropped         = desc("landmark_log_lines_dropped_total", "Lines that are missing in the log because its reader was too slow.")
	journalLines       = desc("landmark_journal_lines_total", "Lines that were written into the journal.")
	journalBytes       = desc("landmark_journal_bytes_total", "Bytes that were written into the journal.")
	journalDropped     = desc("landmark_journal_lines_dropped_total", "Lines that are missing in the journal because its disk was too slow or could not take them.")
	journalFailing     = desc("landmark_journal_failing", "Whether the journal could not be written the last time.")
	noDesc             = desc("landmark", "") // for what only the metric itself is needed of
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// ownCollector collects what landmarkd knows of itself.
type ownCollector struct {
	own     Own
	source  Source
	scrapes *pacer
	began   time.Time // when the counters were 0
}

// Describe implements prometheus.Collector. It sends nothing, because what there is
// depends on the front ends.
func (c *ownCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *ownCollector) Collect(to chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		send(d, prometheus.CounterValue, float64(n), labels...)
	}
	send(buildInfo, prometheus.GaugeValue, 1, c.own.Version, runtime.Version())
	for name, a := range c.own.Answers {
		count(answers, a.Count(), name)
		to <- mustHistogram(answerDuration, a.Memory(), c.began, name, "no")
		to <- mustHistogram(answerDuration, a.Waited(), c.began, name, "yes")
	}
	for name, all := range c.own.Refused {
		for reason, n := range all {
			count(refused, n, name, reason)
		}
	}
	count(refused, c.scrapes.refused.Load(), string(checkers.HTTP), "scrapes")
	if c.own.Closed != nil {
		for clients, n := range c.own.Closed {
			count(connectionsRefused, n, clients)
		}
	}
	c.collectSessions(send, count)
	if c.own.Pauses != nil {
		number, total := c.own.Pauses()
		count(clockPauses, number)
		send(clockPaused, prometheus.CounterValue, total.Seconds())
	}
	c.collectReloads(send, count)
	if c.own.LogDropped != nil {
		count(logDropped, c.own.LogDropped())
	}
	if c.own.Journal != nil {
		j := c.own.Journal()
		count(journalLines, j.Written)
		count(journalBytes, j.Bytes)
		count(journalDropped, j.Dropped)
		send(journalFailing, prometheus.GaugeValue, oneIf(j.Failing))
	}
}

type (
	sendFunc  func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string)
	countFunc func(d *prometheus.Desc, n uint64, labels ...string)
)

func (c *ownCollector) collectSessions(send sendFunc, count countFunc) {
	n := c.source.Sessions()
	send(sessions, prometheus.GaugeValue, float64(n.Open()))
	count(sessionsOpened, n.Opened)
	count(sessionsEnded, n.Goodbyes, "goodbye")
	count(sessionsEnded, n.Lost, "lost")
	count(sessionsEnded, n.Ended, "ended")
	count(sessionsRefused, n.NotOwner, "not_owner")
	count(sessionsRefused, n.OverLimit, "limit")
}

func (c *ownCollector) collectReloads(send sendFunc, count countFunc) {
	if c.own.Reloads == nil {
		return
	}
	r := c.own.Reloads()
	count(reloads, r.OK, "ok")
	count(reloads, r.Failed, "failed")
	send(lastReloadOK, prometheus.GaugeValue, oneIf(!r.LastFailed))
	if !r.LastOK.IsZero() {
		send(lastReloadTime, prometheus.GaugeValue, float64(r.LastOK.UnixMilli())/1000)
	}
}

// mustHistogram returns the counts since began as a native histogram.
func mustHistogram(d *prometheus.Desc, c histogram.Counts, began time.Time, labels ...string) prometheus.Metric {
	m, err := prometheus.NewConstNativeHistogram(d, c.Count, c.Sum.Seconds(), c.Buckets, nil, c.Zero, histogram.Schema, histogram.ZeroThreshold, began, labels...)
	if err != nil {
		panic(err) // the counts contradict each other
	}
	return m
}
