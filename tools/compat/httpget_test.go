package compat_test

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/probe"
	kubelethttp "k8s.io/kubernetes/pkg/probe/http"
	"sigs.k8s.io/yaml"
)

// readHTTPProbes returns the container with the probes of docs/http.md, at the port.
func readHTTPProbes(t *testing.T, port string) *corev1.Container {
	t.Helper()
	text, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?ms)^```yaml\n(livenessProbe:.*?)^```$").FindSubmatch(text)
	if example == nil {
		t.Fatal("docs/http.md has no probes")
	}
	c := new(corev1.Container)
	if err := yaml.UnmarshalStrict(example[1], c); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Port != intstr.FromInt32(19535) {
			t.Fatalf("got the probe %v, want one of port 19535", p)
		}
		p.HTTPGet.Port = intstr.Parse(port)
	}
	return c
}

// checkHTTPByKubelet returns a function that runs the probe once, as kubelet does.
func checkHTTPByKubelet(t *testing.T, c *corev1.Container, p *corev1.Probe) func() string {
	t.Helper()
	return func() string {
		request, err := kubelethttp.NewRequestForHTTPGetAction(p.HTTPGet, c, "127.0.0.1", "probe")
		if err != nil {
			t.Fatal(err)
		}
		result, output, err := kubelethttp.New(false).Probe(request, 10*time.Second)
		if err != nil {
			return err.Error()
		}
		if result == probe.Failure && !strings.Contains(output, "statuscode: 503") {
			return output
		}
		return string(result)
	}
}

// kubelet's own httpGet probe gets the right results, with the probes of docs/http.md.
func TestKubeletHTTPGetFollowsVerdict(t *testing.T) {
	port := freePort(t)
	c := readHTTPProbes(t, port)
	p := newPod(t, "landmarkd", "-monitor=", "-grpc=", "-http", "127.0.0.1:"+port)
	ready, live, started := checkHTTPByKubelet(t, c, c.ReadinessProbe), checkHTTPByKubelet(t, c, c.LivenessProbe), checkHTTPByKubelet(t, c, c.StartupProbe)
	await(t, "success", started)
	await(t, "success", ready)
	await(t, "success", live)

	p.signal(syscall.SIGUSR1)
	await(t, "failure", ready)
	await(t, "failure", live)
	p.signal(syscall.SIGUSR2)
	await(t, "success", ready)
	await(t, "success", live)

	p.start("landmark", "drain", "-admin-socket", p.runtime+"/admin.sock", "epg")
	await(t, "failure", ready)
	await(t, "success", live)

	// A path that does not exist is no success, nor is a redirect to one that does.
	for _, path := range []string{"/ready", "//livez", "/livez/", "/livez?servcie=epg"} {
		action := &corev1.HTTPGetAction{Path: path, Port: intstr.Parse(port)}
		request, err := kubelethttp.NewRequestForHTTPGetAction(action, c, "127.0.0.1", "probe")
		if err != nil {
			t.Fatal(err)
		}
		if result, output, err := kubelethttp.New(false).Probe(request, 10*time.Second); result != probe.Failure || err != nil {
			t.Errorf("%s: got %s %q, %v, want %s", path, result, output, err, probe.Failure)
		}
	}
}
