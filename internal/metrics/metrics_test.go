package metrics

import (
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestVerdicts(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		epg, vod := frontendtest.NewProcess(t, f.registry, "epg"), frontendtest.NewProcess(t, f.registry, "vod")
		epg.Work()
		vod.Work()
		time.Sleep(300 * time.Millisecond)
		vod.Stall()
		time.Sleep(200 * time.Millisecond)
		f.wantLines("landmark_serving{",
			`landmark_serving{service="epg",aspect="readiness"} 1`,
			`landmark_serving{service="epg",aspect="liveness"} 1`,
			`landmark_serving{service="epg",aspect="startup"} 1`,
			`landmark_serving{service="vod",aspect="readiness"} 0`,
			`landmark_serving{service="vod",aspect="liveness"} 0`,
			`landmark_serving{service="vod",aspect="startup"} 1`)
		f.wantLines("landmark_cause{",
			`landmark_cause{service="vod",aspect="readiness",cause="stalled"} 1`,
			`landmark_cause{service="vod",aspect="liveness",cause="stalled"} 1`)
		f.wantLines("landmark_weight_ratio{", `landmark_weight_ratio{service="epg"} 1`, `landmark_weight_ratio{service="vod"} 0`)
		f.wantLines(`landmark_status_age_seconds{service="vod",aspect="readiness"`, `landmark_status_age_seconds{service="vod",aspect="readiness"} 0.2`)
		f.wantLines(`landmark_changes_total{service="vod",aspect="readiness"`, `landmark_changes_total{service="vod",aspect="readiness"} 3`)
		f.wantLines("landmark_facts_age_seconds{", `landmark_facts_age_seconds{service="epg"} 0.5`, `landmark_facts_age_seconds{service="vod"} 2.200000001`)
		f.wantLines(`landmark_instances{service="vod"`,
			`landmark_instances{service="vod",presence="connected"} 1`,
			`landmark_instances{service="vod",presence="lost"} 0`,
			`landmark_instances{service="vod",presence="awaited"} 0`)
		if _, err := f.registry.Drain("epg", 0); err != nil {
			t.Fatal(err)
		}
		vod.Session.Disconnect()
		f.wantLines("landmark_drained{", `landmark_drained{service="epg"} 1`, `landmark_drained{service="vod"} 0`)
		f.wantLines(`landmark_instances{service="vod",presence="lost"`, `landmark_instances{service="vod",presence="lost"} 1`)
		f.wantLines("landmark_failing_landmarks{", `landmark_failing_landmarks{service="epg"} 0`, `landmark_failing_landmarks{service="vod"} 1`)
	})
}

func TestLandmarksOfAllKinds(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg",
			judge.Declared{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second},
			judge.Declared{Name: "ingest", Kind: judge.KindAlive, Impact: judge.ImpactReadiness, Within: 2 * time.Second},
			judge.Declared{Name: "request", Kind: judge.KindDeadline, Impact: judge.ImpactCritical, Within: 3 * time.Second},
			judge.Declared{Name: `queue "a"`, Kind: judge.KindLevel, Impact: judge.ImpactDegrading, Limits: judge.Limits{DegradeAt: 80, FailAt: 100}},
			judge.Declared{Name: "database", Kind: judge.KindCondition, Impact: judge.ImpactReadiness, TTL: time.Minute},
			judge.Declared{Name: "later", Kind: judge.KindCondition, Impact: judge.ImpactInformational})
		p.Report(
			registry.Fact{Reached: true, Count: 1, Lag: 4 * time.Millisecond}, registry.Fact{Reached: true, Age: 500 * time.Millisecond},
			registry.Fact{Reached: true, Open: true, Pending: 3, Age: 250 * time.Millisecond}, registry.Fact{Reached: true, Value: 97.5},
			registry.Fact{Reached: true, Met: false, Reason: "refused"}, registry.Fact{})
		f.wantLines("landmark_failing{",
			`landmark_failing{service="epg",landmark="database",source="program",kind="condition",impact="readiness"} 1`,
			`landmark_failing{service="epg",landmark="queue \"a\"",source="program",kind="level",impact="degrading"} 0`,
			`landmark_failing{service="epg",landmark="later",source="program",kind="condition",impact="informational"} 0`,
			`landmark_failing{service="epg",landmark="main loop",source="program",kind="loop",impact="critical"} 0`,
			`landmark_failing{service="epg",landmark="ingest",source="program",kind="alive",impact="readiness"} 0`,
			`landmark_failing{service="epg",landmark="request",source="program",kind="deadline",impact="critical"} 0`)
		f.wantLines(`landmark_age_seconds{service="epg",landmark="request"`, `landmark_age_seconds{service="epg",landmark="request",source="program"} 0.25`)
		f.wantLines("landmark_age_limit_seconds{",
			`landmark_age_limit_seconds{service="epg",landmark="database",source="program"} 60`,
			`landmark_age_limit_seconds{service="epg",landmark="main loop",source="program"} 1`,
			`landmark_age_limit_seconds{service="epg",landmark="ingest",source="program"} 2`,
			`landmark_age_limit_seconds{service="epg",landmark="request",source="program"} 3`)
		f.wantLines("landmark_lag_seconds{", `landmark_lag_seconds{service="epg",landmark="main loop",source="program"} 0.004`)
		f.wantLines("landmark_open_work{", `landmark_open_work{service="epg",landmark="request",source="program"} 3`)
		f.wantLines("landmark_condition_met{", `landmark_condition_met{service="epg",landmark="database",source="program"} 0`)
		f.wantLines("landmark_level{", `landmark_level{service="epg",landmark="queue \"a\"",source="program"} 97.5`)
		f.wantLines("landmark_level_limit{",
			`landmark_level_limit{service="epg",landmark="queue \"a\"",source="program",limit="degrade"} 80`,
			`landmark_level_limit{service="epg",landmark="queue \"a\"",source="program",limit="fail"} 100`)
	})
}

// A landmark of the host may have the name of one of the program: they are two series.
func TestHostLandmarkIsAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		policy := registry.DefaultPolicy
		policy.Host = []registry.HostLandmark{{Declared: judge.Declared{Name: "port", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}}}
		f.registry.Configure(map[string]registry.Policy{"epg": policy}, nil)
		frontendtest.NewProcess(t, f.registry, "epg", judge.Declared{Name: "port", Kind: judge.KindLevel, Impact: judge.ImpactDegrading, Limits: judge.Limits{FailAt: 1}}).
			Report(registry.Fact{Reached: true})
		f.registry.ReportHost("epg", registry.HostReport{Facts: []registry.Fact{{Reached: true, Met: true}}, ReadAt: f.registry.Clock().Judged()})
		f.wantLines("landmark_failing{",
			`landmark_failing{service="epg",landmark="port",source="program",kind="level",impact="degrading"} 0`,
			`landmark_failing{service="epg",landmark="port",source="host",kind="condition",impact="readiness"} 0`)
	})
}

// Each answer of a Loop is counted once, however often it is reported.
func TestLoopLagHistogram(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg")
		for i, lag := range []time.Duration{time.Second, 3 * time.Second, time.Second / 2} {
			for range 3 {
				p.Report(registry.Fact{Reached: true, Count: uint64(i + 1), Lag: lag})
			}
		}
		frontendtest.NewProcess(t, f.registry, "levels", judge.Declared{Name: "queue", Kind: judge.KindLevel, Impact: judge.ImpactDegrading, Limits: judge.Limits{FailAt: 1}}).
			Report(registry.Fact{Reached: true})
		family := f.scrape(protobuf)["landmark_loop_lag_seconds"]
		if len(family.GetMetric()) != 1 {
			t.Fatalf("got %v, want one histogram", family)
		}
		h := family.Metric[0].Histogram
		var buckets, spanned int64
		for _, s := range h.PositiveSpan {
			spanned += int64(s.GetLength())
		}
		var count int64
		for _, d := range h.PositiveDelta {
			count += d
			buckets += count
		}
		if h.GetSampleCount() != 3 || h.GetSampleSum() != 4.5 || h.GetSchema() != 2 || buckets != 3 || spanned != int64(len(h.PositiveDelta)) {
			t.Errorf("got %v, want three lags of 4.5 s", h)
		}
		f.wantLines("landmark_loop_lag_seconds_", // text has no buckets of native histograms
			`landmark_loop_lag_seconds_bucket{service="epg",le="+Inf"} 3`,
			`landmark_loop_lag_seconds_sum{service="epg"} 4.5`,
			`landmark_loop_lag_seconds_count{service="epg"} 3`)
	})
}

// Only steady checkers have metrics: forged ones would be time series without end.
func TestCheckers(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		frontendtest.NewProcess(t, f.registry, "epg").Work()
		start := time.Now()
		steady := checkers.Checker{From: netip.MustParseAddr("10.0.0.1"), Via: checkers.LMPUDP}
		for i := range 61 {
			at := time.Since(start)
			f.checkers.Record(checkers.Check{Service: "epg", Known: true}, steady, at)
			f.checkers.Record(checkers.Check{Service: "epg", Known: true}, checkers.Checker{From: netip.AddrFrom4([4]byte{172, 16, 0, byte(i)}), Via: checkers.LMPUDP}, at)
			f.checkers.Record(checkers.Check{Name: []byte("epgg")}, steady, at)
			time.Sleep(500 * time.Millisecond)
		}
		f.wantLines("landmark_checker_",
			`landmark_checker_checks_total{service="epg",checker="10.0.0.1",front_end="lmp-udp"} 61`,
			`landmark_checker_checks_per_second{service="epg",checker="10.0.0.1",front_end="lmp-udp"} 2`,
			`landmark_checker_last_check_age_seconds{service="epg",checker="10.0.0.1",front_end="lmp-udp"} 0.5`,
			`landmark_checker_silent{service="epg",checker="10.0.0.1",front_end="lmp-udp"} 0`)
		f.wantLines("landmark_unknown_name_checkers", `landmark_unknown_name_checkers 1`)
		time.Sleep(time.Minute)
		f.wantLines("landmark_checker_silent", `landmark_checker_silent{service="epg",checker="10.0.0.1",front_end="lmp-udp"} 1`)
	})
}

func TestPeers(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		frontendtest.NewProcess(t, f.registry, "epg").Work()
		s := f.checkers.BFDSession(checkers.Peering{Name: "epg-liveness", Peer: netip.MustParseAddr("192.0.2.1"), Local: netip.MustParseAddr("192.0.2.7")})
		defer s.End()
		s.Record(checkers.Check{Service: "epg", Known: true}, checkers.BFDState{PeerAlive: true})
		f.checkers.SetGate("epg", checkers.GateState{Name: "epg", Address: netip.MustParseAddrPort("0.0.0.0:15400"), Problem: "it is taken"})
		f.wantLines("landmark_bfd_",
			`landmark_bfd_session_up{name="epg-liveness",peer="192.0.2.1",local="192.0.2.7"} 0`,
			`landmark_bfd_peer_alive{name="epg-liveness",peer="192.0.2.1",local="192.0.2.7"} 1`)
		f.wantLines("landmark_gate_", `landmark_gate_open{service="epg"} 0`, `landmark_gate_problem{service="epg"} 1`)
	})
}

// ofOwn returns what landmarkd knows of itself, for tests.
func ofOwn(a *frontend.Answers) Own {
	return Own{
		Version: "v1",
		Answers: map[string]*frontend.Answers{"lmp-udp": a},
		Refused: map[string]iter.Seq2[string, uint64]{"lmp": maps.All(map[string]uint64{"malformed": 7})},
		Closed:  maps.All(map[string]uint64{"agents": 2}),
		Pauses:  func() (uint64, time.Duration) { return 3, 1500 * time.Millisecond },
		Reloads: func() Reloads {
			return Reloads{OK: 2, Failed: 1, LastFailed: true, LastOK: time.UnixMilli(1_700_000_000_500)}
		},
		LogDropped: func() uint64 { return 9 },
		Journal:    func() journal.Stats { return journal.Stats{Written: 11, Bytes: 1200, Dropped: 4, Failing: true} },
	}
}

func TestOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		var a frontend.Answers
		f.Metrics = New(Config{Source: f.registry, Checkers: f.checkers, Own: ofOwn(&a)})
		for range 65 {
			a.End(a.Begin())
		}
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		if _, err := f.registry.Open(registry.AgentID{Service: "epg", Instance: "b", UID: 7}, p); err == nil {
			t.Fatal("another user's process was accepted")
		}
		frontendtest.NewInstance(t, f.registry, "epg", "c").Session.Goodbye()
		for _, want := range []string{
			`landmark_answers_total{front_end="lmp-udp"} 65`,
			`landmark_answer_duration_seconds_count{front_end="lmp-udp",waited="no"} 2`,
			`landmark_answer_duration_seconds_count{front_end="lmp-udp",waited="yes"} 0`,
			`landmark_requests_refused_total{front_end="lmp",reason="malformed"} 7`,
			`landmark_connections_refused_total{of="agents"} 2`,
			`landmark_sessions 1`,
			`landmark_sessions_opened_total 2`,
			`landmark_sessions_ended_total{how="goodbye"} 1`,
			`landmark_sessions_refused_total{reason="not_owner"} 1`,
			`landmark_clock_pauses_total 3`,
			`landmark_clock_paused_seconds_total 1.5`,
			`landmark_config_reloads_total{result="failed"} 1`,
			`landmark_config_last_reload_successful 0`,
			`landmark_config_last_reload_success_timestamp_seconds 1.7000000005e+09`,
			`landmark_log_lines_dropped_total 9`,
			`landmark_journal_lines_total 11`,
			`landmark_journal_bytes_total 1200`,
			`landmark_journal_lines_dropped_total 4`,
			`landmark_journal_failing 1`,
		} {
			f.wantLines(want, want)
		}
		if lines := f.lines("landmark_build_info{"); len(lines) != 1 || !strings.HasSuffix(lines[0], `version="v1"} 1`) {
			t.Errorf("got %q, want the version", lines)
		}
		for _, name := range []string{"go_goroutines ", "process_resident_memory_bytes "} {
			if len(f.lines(name)) != 1 {
				t.Errorf("there is no %s", name)
			}
		}
	})
}

// Families that are encoded in many batches are one family in text, and both formats say
// the same.
func TestFormatsAgree(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		addMany(t, f.registry, 40, 10) // 400 landmarks: several batches
		inText, inProtobuf := f.scrape(text), f.scrape(protobuf)
		for name, family := range inText {
			if got, want := len(inProtobuf[name].GetMetric()), len(family.Metric); got != want {
				t.Errorf("%s: %d metrics as protobuf, %d in text", name, got, want)
			}
		}
		if got := len(inText["landmark_age_seconds"].Metric); got != 400 {
			t.Errorf("got %d ages of landmarks, want 400", got)
		}
		if got := inText["landmark_serving"].GetType(); got != dto.MetricType_GAUGE {
			t.Errorf("the type of landmark_serving is %v", got)
		}
		heads := make(map[string]int)
		for line := range strings.Lines(f.get(text).Body.String()) {
			if strings.HasPrefix(line, "# ") {
				heads[line]++
			}
		}
		for head, n := range heads {
			if n != 1 {
				t.Errorf("%d times %s", n, head)
			}
		}
	})
}

// A user who declares very many landmarks takes no metrics of others.
func TestLandmarksOfOneUserAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		const landmarks = 1000
		addManyOf(t, f.registry, 1, 6, landmarks) // before the others by name
		open := func(uid uint32, service string) {
			t.Helper()
			s, err := f.registry.Open(registry.AgentID{Service: service, Instance: "a", UID: uid}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Declare([]judge.Declared{{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second}}); err != nil {
				t.Fatal(err)
			}
			if err := s.Report([]registry.Fact{{Reached: true}}, 0); err != nil {
				t.Fatal(err)
			}
		}
		open(0, "zebra")
		open(2, "zoo")
		f.wantLines("landmark_metrics_omitted{",
			fmt.Sprintf(`landmark_metrics_omitted{what="landmarks"} %d`, 6*landmarks-maxLandmarksOfUser), `landmark_metrics_omitted{what="checkers"} 0`)
		if got := len(f.lines("landmark_failing{")); got != maxLandmarksOfUser+2 {
			t.Errorf("got %d landmarks, want %d", got, maxLandmarksOfUser+2)
		}
		for _, service := range []string{"zebra", "zoo"} {
			if len(f.lines(`landmark_failing{service="`+service)) != 1 {
				t.Errorf("%s has no landmark", service)
			}
		}
	})
}

// blocked is a client that does not read.
type blocked struct {
	*httptest.ResponseRecorder
	writing chan struct{} // closed once it is written to
	free    chan struct{}
}

func (b *blocked) Write(p []byte) (int, error) {
	select {
	case <-b.writing:
	default:
		close(b.writing)
	}
	<-b.free
	return len(p), nil
}

func TestSlowClientDelaysNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		addMany(t, f.registry, 10, 10)
		b := &blocked{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.ServeHTTP(b, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		}()
		<-b.writing
		if got := len(f.lines("landmark_failing{")); got != 100 {
			t.Errorf("got %d landmarks, want 100", got)
		}
		close(b.free)
		<-done
	})
}

// gone is a client that leaves after some bytes.
type gone struct {
	*httptest.ResponseRecorder
	left int
}

func (g *gone) Write(p []byte) (int, error) {
	if g.left -= len(p); g.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// A scrape that cannot be written whole is aborted: otherwise half of the metrics would
// look like all of them.
func TestPartOfTheMetricsIsNoAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		addMany(t, f.registry, 10, 100)
		defer func() {
			if err := recover(); err != http.ErrAbortHandler {
				t.Errorf("the handler ended with %v, want %v", err, http.ErrAbortHandler)
			}
			if got := len(f.lines("landmark_failing{")); got != 1000 { // the next scrape is not blocked
				t.Errorf("got %d landmarks, want 1000", got)
			}
		}()
		f.ServeHTTP(&gone{httptest.NewRecorder(), 100_000}, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	})
}

// More metrics cost a scrape hardly more allocations: it holds some batches of them at
// once, and uses these again and again. With an allocation for each metric it would fail.
func TestScrapeAllocatesNothingForAMetric(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would empty the encoder's pools
	measure := func(t *testing.T, landmarks int) (allocations float64, metrics int) {
		f := newFixture(t)
		addMany(t, f.registry, 10, landmarks)
		for _, family := range f.scrape(text) {
			metrics += len(family.Metric)
		}
		w := &discard{header: make(http.Header)}
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		return testing.AllocsPerRun(3, func() { f.ServeHTTP(w, r) }), metrics
	}
	synctest.Test(t, func(t *testing.T) { // time stands still, so no fact grows old
		few, metricsOfFew := measure(t, 50)
		many, metricsOfMany := measure(t, 500)
		if each := (many - few) / float64(metricsOfMany-metricsOfFew); each > 0.5 {
			t.Errorf("%v allocations for %d metrics, %v for %d: %.2f for each more", few, metricsOfFew, many, metricsOfMany, each)
		}
	})
}

// Prometheus gets what it prefers, and people and other programs text.
func TestFormatIsNegotiated(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		for accept, want := range map[string]string{
			"":    "text/plain; version=0.0.4",
			"*/*": "text/plain; version=0.0.4",
			text:  "text/plain; version=0.0.4",
			"text/html,application/xhtml+xml,*/*;q=0.8":                                           "text/plain; version=0.0.4",
			"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1": "text/plain; version=0.0.4",
			protobuf: "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
			protobuf + ",application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
		} {
			if got := f.get(accept).Header().Get("Content-Type"); !strings.HasPrefix(got, want) {
				t.Errorf("%q: got %q, want %q", accept, got, want)
			}
		}
	})
}

func TestHeadHasNoBody(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/metrics", nil))
		if w.Body.Len() > 0 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("got %d bytes and %v", w.Body.Len(), w.Header())
		}
	})
}
