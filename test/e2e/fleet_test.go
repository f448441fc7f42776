//go:build e2e

package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// promtool accepts the rules, and their tests pass.
func TestFleetRules(t *testing.T) {
	parallel(t)
	promtool(t, "", "check", "rules", rulesFile)
	if out := promtool(t, "", "test", "rules", strings.Replace(rulesFile, ".yaml", ".test.yaml", 1)); !strings.Contains(out, "SUCCESS") {
		t.Errorf("promtool: %s", out)
	}
}

// sidecars is how many there are in the fleet.
const sidecars = 10_000

// fleet is the metrics of ten thousand sidecars, as far as the rules use them, of one
// service each.
type fleet struct{ troubled atomic.Bool }

// ServeHTTP writes what Prometheus would have scraped from each. In trouble,
//   - epg, on 6,000 servers, is stalled on 60 of them;
//   - vod, on 4,000, has failed on 2,000;
//   - 200 servers with epg cannot be scraped;
//   - the balancer 10.0.0.2 checks none any more.
func (f *fleet) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	troubled := f.troubled.Load()
	out := bufio.NewWriter(w)
	defer out.Flush()
	number := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	for i := range sidecars {
		instance, service, cause := fmt.Sprintf(`instance="host-%05d:19535"`, i), "epg", "stalled"
		fails := troubled && i%100 == 7
		if i >= 6000 {
			service, cause = "vod", "failed"
			fails = troubled && i%2 == 0
		}
		gone := troubled && i < 200
		fmt.Fprintf(out, "up{%s} %d\n", instance, number(!gone))
		if gone {
			continue
		}
		labels := fmt.Sprintf(`%s,service="%s"`, instance, service)
		fmt.Fprintf(out, "landmark_serving{%s,aspect=\"readiness\"} %d\n", labels, number(!fails))
		fmt.Fprintf(out, "landmark_weight_ratio{%s} %d\n", labels, number(!fails))
		fmt.Fprintf(out, "landmark_changes_total{%s,aspect=\"readiness\"} 1\n", labels)
		fmt.Fprintf(out, "landmark_drained{%s} 0\n", labels)
		fmt.Fprintf(out, "landmark_lag_seconds{%s,landmark=\"main loop\"} 0.002\n", labels)
		if fails {
			fmt.Fprintf(out, "landmark_cause{%s,aspect=\"readiness\",cause=%q} 1\n", labels, cause)
		}
		fmt.Fprintf(out, "landmark_checker_silent{%s,checker=\"10.0.0.1\",front_end=\"lmp-udp\"} 0\n", labels)
		fmt.Fprintf(out, "landmark_checker_silent{%s,checker=\"10.0.0.2\",front_end=\"lmp-udp\"} %d\n", labels, number(troubled))
		fmt.Fprintf(out, "landmark_clock_paused_seconds_total{%s} 0\n", instance)
		fmt.Fprintf(out, "landmark_config_last_reload_successful{%s} 1\n", instance)
		fmt.Fprintf(out, "landmark_requests_refused_total{%s,front_end=\"lmp\",reason=\"malformed\"} 0\n", instance)
	}
}

// Prometheus evaluates the rules over ten thousand sidecars, and each alert counts them.
// promtool test rules cannot, because it lets no query load more than 10,000 samples.
func TestFleetOfTenThousandSidecars(t *testing.T) {
	parallel(t)
	f := new(fleet)
	exporter := httptest.NewServer(f)
	defer exporter.Close()
	p := &prometheus{t: t, address: freeAddress(t)}
	file := t.TempDir() + "/prometheus.yaml"
	write(t, file, "global: {scrape_interval: 3s, scrape_timeout: 3s, evaluation_interval: 2s}\nrule_files: ["+rulesWithoutDelay(t)+"]\n"+
		"scrape_configs:\n- job_name: landmark\n  honor_labels: true\n  static_configs: [{targets: [\""+strings.TrimPrefix(exporter.URL, "http://")+"\"]}]\n")
	start(t, debian(t, "prometheus", "prometheus"), "--config.file="+file, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+p.address)
	// ask waits until an expression has the value; "" = none. A busy machine takes half a
	// minute to evaluate all rules.
	ask := func(expression, want string) {
		t.Helper()
		got := p.value(expression)
		for deadline := time.Now().Add(4 * testTimeout); got != want; got = p.value(expression) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: got %q, want %q", expression, got, want)
			}
			time.Sleep(100 * time.Millisecond) // Prometheus needs the time for its rules
		}
	}
	p.await("vector(1)", "1")
	ask(`service:landmark_serving:sum{service="epg"}`, "6000")
	ask(`service:landmark_capacity:ratio{service="vod"}`, "1")
	ask(`count(ALERTS{alertstate="firing"})`, "") // one fires until the first scrape
	f.troubled.Store(true)
	ask(`service_cause:landmark_not_serving:count{service="epg",cause="stalled"}`, "58") // the others are gone
	ask(`service:landmark_servers_missing:count{service="epg"}`, "200")
	ask(`service:landmark_capacity:ratio{service="epg"}`, fmt.Sprint(float64(5800-58)/6000))
	ask(`service:landmark_capacity:ratio{service="vod"}`, "0.5")
	for alert, want := range map[string]string{
		`alertname="LandmarkServersOut",service="epg",cause="stalled"`: "1",
		`alertname="LandmarkServersOut",service="vod",cause="failed"`:  "1",
		`alertname="LandmarkCapacityLow",service="vod"`:                "1",
		`alertname="LandmarkCheckerSilent",checker="10.0.0.2"`:         "1",
		`alertname="LandmarkdDown"`:                                    "200",
	} {
		ask(`count(ALERTS{alertstate="firing",`+alert+`})`, want)
	}
	ask(`count(ALERTS{alertstate="firing",alertname!~"LandmarkServersOut|LandmarkCapacityLow|LandmarkCheckerSilent|LandmarkdDown"})`, "")
	t.Logf("Prometheus evaluates the rules of 10,000 sidecars in %.2f s", p.ruleSeconds())
}

// ruleSeconds returns how long Prometheus took to evaluate all rules.
func (p *prometheus) ruleSeconds() (seconds float64) {
	r, err := http.Get("http://" + p.address + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "prometheus_rule_group_last_duration_seconds{") {
			var one float64
			fmt.Sscan(lines.Text()[strings.LastIndexByte(lines.Text(), ' '):], &one)
			seconds += one
		}
	}
	return seconds
}

// checkQueries has promtool check queries of the document at the path.
func checkQueries(t *testing.T, document string, queries []string) {
	t.Helper()
	rules := "groups:\n- name: queries\n  rules:\n"
	for i, query := range queries {
		quoted, err := json.Marshal(query)
		if err != nil {
			t.Fatal(err)
		}
		rules += fmt.Sprintf("  - {record: q%d, expr: %s}\n", i, quoted)
	}
	path := t.TempDir() + "/queries.yaml"
	write(t, path, rules)
	if out := promtool(t, "", "check", "rules", path); !strings.Contains(out, fmt.Sprintf("%d rules found", len(queries))) {
		t.Errorf("%s: %s", document, out)
	}
}

// promtool accepts the job that scrapes the fleet, and the queries of docs/fleet.md.
func TestFleetPageIsValid(t *testing.T) {
	parallel(t)
	promtool(t, "", "check", "config", "--syntax-only", "../../deploy/prometheus/landmark.scrape.yaml")
	queries := slices.Collect(maps.Values(documentedQueries(t)))
	if len(queries) < 5 {
		t.Fatalf("docs/fleet.md has %d queries, want more", len(queries))
	}
	checkQueries(t, "docs/fleet.md", queries)
}

// documentedQueries returns the queries of docs/fleet.md, by the question before each.
func documentedQueries(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, ask, _ := strings.Cut(string(page), "\n## Ask\n")
	ask, _, _ = strings.Cut(ask, "\n## ")
	queries, question := make(map[string]string), ""
	for block := range strings.SplitSeq(ask, "\n\n") {
		if strings.HasPrefix(block, "    ") {
			queries[question] = block
		}
		question = strings.TrimSpace(block)
	}
	return queries
}

// The documented query counts the servers on which the balancer does not check a service,
// also if it checks it nowhere.
func TestFleetQueryFindsWhatIsNotChecked(t *testing.T) {
	parallel(t)
	var series, samples []string
	for _, instance := range []string{"a", "b", "c"} {
		for _, service := range []string{"everywhere", "nowhere", "one", "silent", "by-another"} {
			series = append(series, fmt.Sprintf(`landmark_serving{instance=%q,service=%q,aspect="readiness"} 1`, instance, service))
		}
		series = append(series,
			fmt.Sprintf(`landmark_checker_silent{instance=%q,service="everywhere",checker="10.0.0.1",front_end="lmp-udp"} 0`, instance),
			fmt.Sprintf(`landmark_checker_silent{instance=%q,service="silent",checker="10.0.0.1",front_end="lmp-udp"} 1`, instance),
			fmt.Sprintf(`landmark_checker_silent{instance=%q,service="by-another",checker="10.0.0.2",front_end="lmp-udp"} 0`, instance))
	}
	series = append(series, `landmark_checker_silent{instance="b",service="one",checker="10.0.0.1",front_end="lmp-udp"} 0`)
	for service, count := range map[string]int{"nowhere": 3, "one": 2, "silent": 3, "by-another": 3} {
		samples = append(samples, fmt.Sprintf(`{service=%q} %d`, service, count))
	}
	query := documentedQueries(t)["On how many servers is a service that a balancer does not check there, or no longer?"]
	testQuery(t, query, series, samples)
}

// A Deadline without open work is not close to its limit, however long there was none.
func TestFleetQueriesLeaveOutIdleDeadlines(t *testing.T) {
	parallel(t)
	var series []string
	for landmark, age := range map[string]float64{"idle": 100, "open": 0.5, "main loop": 0.25} {
		labels := fmt.Sprintf(`{instance="a",service="epg",landmark=%q,source="program"}`, landmark)
		series = append(series, fmt.Sprint("landmark_age_seconds", labels, " ", age), "landmark_age_limit_seconds"+labels+" 1")
	}
	for landmark, work := range map[string]int{"idle": 0, "open": 2} {
		series = append(series, fmt.Sprintf(`landmark_open_work{instance="a",service="epg",landmark=%q,source="program"} %d`, landmark, work))
	}
	query := documentedQueries(t)["Which landmarks were close to their limit in the last day, and so will fail next?"]
	testQuery(t, query, series, []string{
		`{instance="a",service="epg",landmark="open",source="program"} 0.5`, `{instance="a",service="epg",landmark="main loop",source="program"} 0.25`,
	})
	for _, panel := range readDashboard(t).Panels {
		if panel.Title == "Ages against their limits" {
			query := strings.ReplaceAll(panel.Targets[0].Expr, "$service", ".*")
			testQuery(t, query, series, []string{`{service="epg",landmark="open"} 0.5`, `{service="epg",landmark="main loop"} 0.25`})
			return
		}
	}
	t.Error("the dashboard has no panel with ages")
}

// testQuery has promtool compare the answer to the query with the samples. Series and
// samples are written as in Prometheus's text format.
func testQuery(t *testing.T, query string, series, samples []string) {
	t.Helper()
	if query == "" {
		t.Fatal("there is no query for this question")
	}
	type values struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	type sample struct {
		Labels string          `json:"labels"`
		Value  json.RawMessage `json:"value"`
	}
	type expression struct {
		Expr    string   `json:"expr"`
		At      string   `json:"eval_time"`
		Samples []sample `json:"exp_samples"`
	}
	var test struct {
		Input []values     `json:"input_series"`
		Query []expression `json:"promql_expr_test"`
	}
	cut := func(text string) (labels, value string) {
		i := strings.LastIndexByte(text, ' ')
		return text[:i], text[i+1:]
	}
	for _, s := range series {
		labels, value := cut(s)
		test.Input = append(test.Input, values{labels, value + "x1"})
	}
	e := expression{Expr: query, At: "1m"}
	for _, s := range samples {
		labels, value := cut(s)
		e.Samples = append(e.Samples, sample{labels, json.RawMessage(value)})
	}
	test.Query = append(test.Query, e)
	text, err := json.Marshal(map[string]any{"tests": []any{test}}) // which is YAML, too
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/query.yaml"
	write(t, path, string(text))
	if out := promtool(t, "", "test", "rules", path); !strings.Contains(out, "SUCCESS") {
		t.Errorf("promtool: %s", out)
	}
}

// dashboard is a Grafana dashboard, as far as the test needs it.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/landmark.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// promtool accepts each query of the dashboard.
func TestDashboardQueriesAreValid(t *testing.T) {
	parallel(t)
	var queries []string
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			queries = append(queries, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	if len(queries) < 10 {
		t.Fatalf("the dashboard has %d queries, want more", len(queries))
	}
	checkQueries(t, "the dashboard", queries)
}
