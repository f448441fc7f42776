//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"
)

// prometheus is a Prometheus that runs the printed snippets.
type prometheus struct {
	t        *testing.T
	address  string
	exporter *process
}

// startPrometheus runs Prometheus and its blackbox exporter with the snippets for
// the service "epg" of e. It evaluates the alerts more often than once a minute.
func startPrometheus(t *testing.T, e *env) *prometheus {
	t.Helper()
	p := &prometheus{t: t, address: freeAddress(t)}
	exporter := freeAddress(t)
	p.exporter = start(t, debian(t, "prometheus-blackbox-exporter", "prometheus-blackbox-exporter"),
		"--config.file="+snippet(t, "prometheus -service epg -part blackbox"), "--web.listen-address="+exporter)
	file := snippet(t, fmt.Sprintf("prometheus -service epg -part scrape -interval 1s -real 127.0.0.1:9000 -grpc %s -exporter %s", portOf(t, e.grpc), exporter))
	scrape, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rules := snippet(t, "prometheus -service epg -part rules -patience 1s")
	write(t, file, fmt.Sprintf("%sglobal: {evaluation_interval: 200ms}\nrule_files: [%s]\n", scrape, rules))
	start(t, debian(t, "prometheus", "prometheus"),
		"--config.file="+file, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+p.address)
	return p
}

// value returns the value of an expression, "" if there is none, or an error.
func (p *prometheus) value(expression string) string {
	r, err := http.Get("http://" + p.address + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return "error: " + err.Error() // it is starting
	}
	defer r.Body.Close()
	var answer struct {
		Status string
		Data   struct {
			Result []struct{ Value [2]any }
		}
	}
	body, _ := io.ReadAll(r.Body)
	switch err := json.Unmarshal(body, &answer); {
	case err != nil || answer.Status != "success":
		return "error: " + string(body)
	case len(answer.Data.Result) == 0:
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

func (p *prometheus) await(expression, want string) {
	p.t.Helper()
	deadline := time.Now().Add(testTimeout)
	for p.value(expression) != want {
		if time.Now().After(deadline) {
			p.t.Fatalf("after %v: %s: got %q, want %q", testTimeout, expression, p.value(expression), want)
		}
		time.Sleep(checkInterval)
	}
}

// Prometheus with the printed snippets alerts for a hung program, for a service
// whose landmarkd is gone, and when no probe runs.
func TestSnippetPrometheusAlerts(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("500ms")
	p := startPrometheus(t, e)
	const (
		serving  = `probe_success{job="landmark-epg"}`
		alert    = `ALERTS{alertname="LandmarkNotServing",alertstate="firing"}`
		notAsked = `ALERTS{alertname="LandmarkNotAsked",alertstate="firing"}`
	)
	p.await(serving, "1")
	p.await(notAsked, "") // it fires until the first probe
	if got := p.value(alert); got != "" {
		t.Errorf("alert for a healthy service: got %q, want none", got)
	}
	server.signal(syscall.SIGUSR1)
	p.await(serving, "0")
	p.await(alert, "1")
	server.signal(syscall.SIGUSR2)
	p.await(alert, "")
	e.sidecar.kill()
	p.await(alert, "1")
	p.exporter.kill()
	p.await(notAsked, "1")
}
