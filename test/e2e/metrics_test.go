//go:build e2e

package e2e_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rulesFile has the recording rules and alerts.
const rulesFile = "../../deploy/prometheus/landmark.rules.yaml"

// promtool runs promtool with the text as standard input, and returns what it prints.
func promtool(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	command := exec.Command(debian(t, "promtool", "prometheus"), args...)
	command.Stdin = strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// metrics returns the metrics of landmarkd as text.
func (e *env) metrics() string {
	e.t.Helper()
	r, err := http.Get("http://" + e.http + "/metrics")
	if err != nil {
		e.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		e.t.Fatalf("the metrics: got %s, %v", r.Status, err)
	}
	return string(text)
}

// promtool finds nothing wrong with the metrics of a landmarkd that has all kinds of them.
func TestPromtoolAcceptsMetrics(t *testing.T) {
	parallel(t)
	file := t.TempDir() + "/landmarkd.yaml"
	write(t, file, "services:\n  epg:\n    gate: \""+freeAddress(t)+"\"\n    host:\n      port: {listening: 1}\n")
	e := newEnv(t, "-config", file)
	start(t, program("epgd"), "-listen", freeAddress(t), "-agent-socket", e.socket)
	e.await(checkUDP, "epg", "NOT_SERVING failed")
	text := e.metrics()
	// The port fails before the program has reported.
	for deadline := time.Now().Add(testTimeout); !strings.Contains(text, "landmark_loop_lag_seconds") && time.Now().Before(deadline); text = e.metrics() {
		time.Sleep(checkInterval)
	}
	for _, name := range []string{"landmark_cause", "landmark_failing", "landmark_loop_lag_seconds", "landmark_gate_open", "landmark_answers_total", "go_goroutines", "process_open_fds"} {
		if !strings.Contains(text, "\n# TYPE "+name+" ") {
			t.Errorf("the metrics have no %s", name)
		}
	}
	if out := promtool(t, text, "check", "metrics"); out != "" {
		t.Errorf("promtool: %s", out)
	}
}

// A real Prometheus reads the native histograms, and its alerts say what hangs.
func TestPrometheusAlertsByTheRules(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("500ms")
	p := &prometheus{t: t, address: freeAddress(t)}
	file := t.TempDir() + "/prometheus.yaml"
	write(t, file, "global: {scrape_interval: 1s, evaluation_interval: 200ms}\nrule_files: ["+rulesWithoutDelay(t)+"]\n"+
		"scrape_configs:\n- job_name: landmark\n  static_configs: [{targets: [\""+e.http+"\"]}]\n")
	promtool(t, "", "check", "config", file)
	start(t, debian(t, "prometheus", "prometheus"), "--config.file="+file, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+p.address, "--enable-feature=native-histograms")
	const (
		down = `ALERTS{alertname="LandmarkServiceDown",alertstate="firing",service="epg"}`
		out  = `ALERTS{alertname="LandmarkServersOut",alertstate="firing",service="epg",cause="stalled"}`
	)
	p.await(`landmark_serving{service="epg",aspect="readiness"}`, "1")
	p.await(`histogram_quantile(0.5, landmark_loop_lag_seconds{service="epg"}) > bool 0`, "1")
	p.await(`histogram_count(sum(landmark_answer_duration_seconds{front_end="lmp-udp"})) > bool 0`, "1")
	if got := p.value(down); got != "" {
		t.Errorf("alert for a healthy service: got %q, want none", got)
	}
	server.signal(syscall.SIGUSR1)
	p.await(down, "1")
	p.await(out, "1")
	server.signal(syscall.SIGUSR2)
	p.await(down, "")
	e.sidecar.kill()
	p.await(`ALERTS{alertname="LandmarkdDown",alertstate="firing"}`, "1")
	p.await(down, "1")
}

// rulesWithoutDelay returns the path of a copy of the rules whose alerts fire at once.
func rulesWithoutDelay(t *testing.T) string {
	t.Helper()
	rules, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/landmark.rules.yaml"
	write(t, path, regexp.MustCompile(`(?m)^    for: .*$`).ReplaceAllString(string(rules), "    for: 0s"))
	return path
}
