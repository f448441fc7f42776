package architecture

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// rule is a rule of Prometheus.
type rule struct {
	Record, Alert, Expr, For string
	Labels                   map[string]string
	Annotations              map[string]string
}

// fleetRules returns the rules of deploy/prometheus.
func fleetRules(t *testing.T) (rules []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal([]byte(readFile(t, "deploy/prometheus/landmark.rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) < 20 {
		t.Fatalf("got %d rules, want more", len(rules))
	}
	return rules
}

// Each alert is in the list of docs/operations.md with its severity, has a section of
// docs/fleet.md that says what to do, and a test. There are no others in these.
func TestAlertsAreDocumented(t *testing.T) {
	listed := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `(Landmark[A-Za-z]+)` \\| (page|ticket) \\|").FindAllStringSubmatch(readFile(t, "docs/operations.md"), -1) {
		listed[row[1]] = row[2]
	}
	sections := make(map[string]string)
	for _, s := range regexp.MustCompile(`(?m)^### (Landmark[A-Za-z]+)\n\n\*\*(Page|Ticket)\.`).FindAllStringSubmatch(readFile(t, "docs/fleet.md"), -1) {
		sections[s[1]] = s[2]
	}
	tests := readFile(t, "deploy/prometheus/landmark.rules.test.yaml")
	severities := map[string]string{"page": "Page", "ticket": "Ticket"}
	for _, r := range fleetRules(t) {
		if r.Alert == "" {
			continue
		}
		severity := r.Labels["severity"]
		if listed[r.Alert] != severity || sections[r.Alert] != severities[severity] || severity == "" {
			t.Errorf("%s has severity %q, in docs/operations.md %q, in docs/fleet.md %q", r.Alert, severity, listed[r.Alert], sections[r.Alert])
		}
		delete(listed, r.Alert)
		delete(sections, r.Alert)
		anchor := "https://github.com/landmark-health/landmark/blob/main/docs/fleet.md#" + strings.ToLower(r.Alert)
		if r.Annotations["runbook_url"] != anchor || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: the annotations are %q, want a summary, a description and the runbook %s", r.Alert, r.Annotations, anchor)
		}
		if !regexp.MustCompile(`alertname: ` + r.Alert + `\n    exp_alerts:`).MatchString(tests) {
			t.Errorf("no test makes %s fire", r.Alert)
		}
	}
	for name := range listed {
		t.Errorf("docs/operations.md lists %s, and there is no such alert", name)
	}
	for name := range sections {
		t.Errorf("docs/fleet.md has %s, and there is no such alert", name)
	}
}

// The rules, the dashboard and docs/fleet.md use only metrics that docs/operations.md
// lists, and only recorded series that the rules record. docs/fleet.md lists these.
func TestRulesAndDashboardUseKnownMetrics(t *testing.T) {
	var known []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(landmark_[a-z_]+)` \\|").FindAllStringSubmatch(readFile(t, "docs/operations.md"), -1) {
		known = append(known, row[1])
	}
	fleet := readFile(t, "docs/fleet.md")
	texts := map[string]string{"docs/fleet.md": fleet}
	for _, r := range fleetRules(t) {
		if r.Record != "" {
			known = append(known, r.Record)
			if !regexp.MustCompile("(?m)^\\| `" + r.Record + "` \\|").MatchString(fleet) {
				t.Errorf("docs/fleet.md does not list %s", r.Record)
			}
		}
		texts["the rules"] += r.Expr + "\n"
		for _, a := range r.Annotations {
			texts["the rules"] += a + "\n"
		}
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(readFile(t, "deploy/grafana/landmark.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			texts["the dashboard"] += q.Expr + "\n"
		}
	}
	for where, text := range texts {
		used := regexp.MustCompile(`[a-z_]*:?\blandmark_[a-z_]+(:[a-z]+)?`).FindAllString(text, -1)
		if len(used) == 0 {
			t.Errorf("%s uses no metric", where)
		}
		slices.Sort(used)
		for _, name := range slices.Compact(used) {
			if !slices.Contains(known, name) {
				t.Errorf("%s uses %s, which is unknown", where, name)
			}
		}
	}
}
