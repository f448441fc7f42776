package peers_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/probe"
	kubelet "k8s.io/kubernetes/pkg/probe/grpc"
	"sigs.k8s.io/yaml"
)

// readDeployment reads a Deployment; no field may be unknown.
func readDeployment(t *testing.T, text []byte) *appsv1.Deployment {
	t.Helper()
	d := new(appsv1.Deployment)
	if err := yaml.UnmarshalStrict(text, d); err != nil {
		t.Fatal(err)
	}
	if d.APIVersion != "apps/v1" || d.Kind != "Deployment" {
		t.Fatalf("it is a %s of %s", d.Kind, d.APIVersion)
	}
	return d
}

// asks returns what does a probe once, as kubelet does it.
func asks(t *testing.T, p *corev1.Probe) func() string {
	t.Helper()
	if p == nil || p.GRPC == nil || p.GRPC.Service == nil {
		t.Fatalf("the probe %v asks for no service", p)
	}
	return func() string {
		result, said, err := kubelet.New().Probe("127.0.0.1", *p.GRPC.Service, int(p.GRPC.Port), time.Duration(p.TimeoutSeconds)*time.Second, kubelet.ProbeOptions{})
		if err != nil {
			return err.Error()
		}
		if result == probe.Failure && !strings.Contains(said, "NOT_SERVING") {
			return said
		}
		return string(result)
	}
}

// The pod is run by its own commands, and probed by kubelet's own probe.
func TestKubernetes(t *testing.T) {
	d := readDeployment(t, snippet(t, "kubernetes -service epg -grpc "+freePort(t)))
	pod := d.Spec.Template.Spec
	sidecar, container := pod.InitContainers[0], pod.Containers[0]
	if r := sidecar.RestartPolicy; r == nil || *r != corev1.ContainerRestartPolicyAlways {
		t.Error("landmarkd is no native sidecar")
	}
	for _, c := range []corev1.Container{sidecar, container} {
		if len(c.VolumeMounts) != 1 || c.VolumeMounts[0].Name != pod.Volumes[0].Name || c.VolumeMounts[0].MountPath != "/run/landmark" {
			t.Errorf("%s does not share the sockets: %v", c.Name, c.VolumeMounts)
		}
	}
	if d.Spec.Selector.MatchLabels["app"] != d.Spec.Template.Labels["app"] {
		t.Error("the Deployment does not select its pods")
	}

	p := newPod(t, append(sidecar.Command, "-monitor=")...)
	ready, live, started := asks(t, container.ReadinessProbe), asks(t, container.LivenessProbe), asks(t, container.StartupProbe)
	await(t, "success", started)
	await(t, "success", ready)
	await(t, "success", live)

	p.tell(syscall.SIGUSR1)
	await(t, "failure", ready)
	await(t, "failure", live)
	p.tell(syscall.SIGUSR2)
	await(t, "success", ready)
	await(t, "success", live)

	p.start(container.Lifecycle.PreStop.Exec.Command...)
	await(t, "failure", ready)
	await(t, "success", live)
}

func TestKubernetesTakesEveryName(t *testing.T) {
	for _, name := range []string{"1.5", "null", "true", "EPG_eu.v2", "a-", strings.Repeat("x", 62) + "-yz"} {
		d := readDeployment(t, snippet(t, "kubernetes -service "+name))
		if got := *d.Spec.Template.Spec.Containers[0].ReadinessProbe.GRPC.Service; got != name+"-readiness" {
			t.Errorf("%s is asked for as %q", name, got)
		}
		if strings.ContainsAny(d.Name, "._ABCDEFGHIJKLMNOPQRSTUVWXYZ") || len(d.Name) > 63 || strings.HasSuffix(d.Name, "-") {
			t.Errorf("%s: Kubernetes names nothing %q", name, d.Name)
		}
	}
}
