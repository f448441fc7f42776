package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is the metrics of a registry.
type fixture struct {
	*Metrics
	t        testing.TB
	registry *registry.Registry
	checkers *checkers.Tracker
	scrapes  int // by get
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, registry: frontendtest.NewRegistry(t, 0), checkers: frontendtest.NewTracker()}
	f.Metrics = New(Config{Source: f.registry, Checkers: f.checkers, Logger: slog.New(slog.DiscardHandler)})
	return f
}

// inBubble runs a test with a fixture in fake time.
func inBubble(t *testing.T, test func(*testing.T, *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newFixture(t)) })
}

// get returns the answer to a scrape with the header Accept.
func (f *fixture) get(accept string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	f.scrapes++
	r.RemoteAddr = fmt.Sprintf("10.0.0.%d:1", f.scrapes) // the scrapes of one client are spaced
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// Values of the header Accept.
const (
	text     = "text/plain;version=0.0.4"
	protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// scrape returns the families by name.
func (f *fixture) scrape(accept string) map[string]*dto.MetricFamily {
	f.t.Helper()
	w := f.get(accept)
	families := make(map[string]*dto.MetricFamily)
	decoder := expfmt.NewDecoder(w.Body, expfmt.ResponseFormat(w.Header()))
	if accept == text {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(w.Body)
		if err != nil {
			f.t.Fatal(err)
		}
		return families
	}
	for {
		var family dto.MetricFamily
		if decoder.Decode(&family) != nil {
			return families
		}
		if before := families[family.GetName()]; before != nil {
			family.Metric = append(before.Metric, family.Metric...)
		}
		families[family.GetName()] = &family
	}
}

// lines returns the lines of a scrape in text of the metrics with the prefix.
func (f *fixture) lines(prefix string) (lines []string) {
	for line := range strings.Lines(f.get(text).Body.String()) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// wantLines checks the lines of the metrics with the prefix.
func (f *fixture) wantLines(prefix string, want ...string) {
	f.t.Helper()
	if got := f.lines(prefix); strings.Join(got, "\n") != strings.Join(want, "\n") {
		f.t.Errorf("%s: got\n%s\nwant\n%s", prefix, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// addMany connects services of root with landmarks of all kinds.
func addMany(t testing.TB, r *registry.Registry, services, landmarks int) {
	addManyOf(t, r, 0, services, landmarks)
}

// addManyOf is addMany for a user.
func addManyOf(t testing.TB, r *registry.Registry, uid uint32, services, landmarks int) {
	kinds := []judge.Declared{
		{Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second},
		{Kind: judge.KindAlive, Impact: judge.ImpactCritical, Within: time.Second},
		{Kind: judge.KindLevel, Impact: judge.ImpactDegrading, Limits: judge.Limits{DegradeAt: 80, FailAt: 100}},
		{Kind: judge.KindCondition, Impact: judge.ImpactReadiness},
		{Kind: judge.KindDeadline, Impact: judge.ImpactCritical, Within: time.Second},
	}
	declared := make([]judge.Declared, landmarks)
	facts := make([]registry.Fact, landmarks)
	for i := range declared {
		declared[i] = kinds[i%len(kinds)]
		declared[i].Name = fmt.Sprintf("landmark number %d", i)
		facts[i] = registry.Fact{Reached: true, Age: time.Duration(i) * time.Millisecond, Count: 1, Lag: 3 * time.Millisecond, Value: 17.5, Met: true, Pending: 2}
	}
	for i := range services {
		s, err := r.Open(registry.AgentID{Service: fmt.Sprintf("service-%04d", i), Instance: "a", UID: uid}, nil)
		if err == nil {
			err = s.Declare(declared)
		}
		if err == nil {
			err = s.Report(facts, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
