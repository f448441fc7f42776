package compat_test

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

// readDeployment parses a Deployment. Unknown fields are errors.
func readDeployment(t *testing.T, text []byte) *appsv1.Deployment {
	t.Helper()
	d := new(appsv1.Deployment)
	if err := yaml.UnmarshalStrict(text, d); err != nil {
		t.Fatal(err)
	}
	if d.APIVersion != "apps/v1" || d.Kind != "Deployment" {
		t.Fatalf("got a %s of %s, want a Deployment of apps/v1", d.Kind, d.APIVersion)
	}
	return d
}

// checkByKubelet returns a function that runs the probe once, as kubelet does.
func checkByKubelet(t *testing.T, p *corev1.Probe) func() string {
	t.Helper()
	if p == nil || p.GRPC == nil || p.GRPC.Service == nil {
		t.Fatalf("got the probe %v, want one with a service", p)
	}
	return func() string {
		result, output, err := kubelet.New().Probe("127.0.0.1", *p.GRPC.Service, int(p.GRPC.Port), time.Duration(p.TimeoutSeconds)*time.Second, kubelet.ProbeOptions{})
		if err != nil {
			return err.Error()
		}
		if result == probe.Failure && !strings.Contains(output, "NOT_SERVING") {
			return output
		}
		return string(result)
	}
}

// The commands of the Deployment run, and kubelet's own probe gets the right
// results.
func TestKubernetesProbesFollowVerdict(t *testing.T) {
	d := readDeployment(t, snippet(t, "kubernetes -service epg -grpc "+freePort(t)))
	pod := d.Spec.Template.Spec
	sidecar, container := pod.InitContainers[0], pod.Containers[0]
	if r := sidecar.RestartPolicy; r == nil || *r != corev1.ContainerRestartPolicyAlways {
		t.Errorf("restartPolicy of landmarkd: got %v, want Always, which makes it a native sidecar", r)
	}
	for _, c := range []corev1.Container{sidecar, container} {
		if len(c.VolumeMounts) != 1 || c.VolumeMounts[0].Name != pod.Volumes[0].Name || c.VolumeMounts[0].MountPath != "/run/landmark" {
			t.Errorf("volume mounts of %s: got %v, want the shared /run/landmark", c.Name, c.VolumeMounts)
		}
	}
	if d.Spec.Selector.MatchLabels["app"] != d.Spec.Template.Labels["app"] {
		t.Errorf("label app of the pods: got %q, want that of the selector, %q", d.Spec.Template.Labels["app"], d.Spec.Selector.MatchLabels["app"])
	}

	p := newPod(t, append(sidecar.Command, "-monitor=", "-http=")...)
	ready, live, started := checkByKubelet(t, container.ReadinessProbe), checkByKubelet(t, container.LivenessProbe), checkByKubelet(t, container.StartupProbe)
	await(t, "success", started)
	await(t, "success", ready)
	await(t, "success", live)

	p.signal(syscall.SIGUSR1)
	await(t, "failure", ready)
	await(t, "failure", live)
	p.signal(syscall.SIGUSR2)
	await(t, "success", ready)
	await(t, "success", live)

	p.start(container.Lifecycle.PreStop.Exec.Command...)
	await(t, "failure", ready)
	await(t, "success", live)
}

func TestKubernetesAcceptsEveryName(t *testing.T) {
	for _, name := range []string{"1.5", "null", "true", "EPG_eu.v2", "a-", strings.Repeat("x", 62) + "-yz"} {
		d := readDeployment(t, snippet(t, "kubernetes -service "+name))
		if got := *d.Spec.Template.Spec.Containers[0].ReadinessProbe.GRPC.Service; got != name+"-readiness" {
			t.Errorf("service of the readiness probe of %s: got %q, want %q", name, got, name+"-readiness")
		}
		if strings.ContainsAny(d.Name, "._ABCDEFGHIJKLMNOPQRSTUVWXYZ") || len(d.Name) > 63 || strings.HasSuffix(d.Name, "-") {
			t.Errorf("name of the Deployment of %s: got %q, want one that Kubernetes allows", name, d.Name)
		}
	}
}
