package compat_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"
)

// validated is a message of Envoy's schema, which has rules.
type validated interface {
	proto.Message
	ValidateAll() error
}

// readEnvoy parses a configuration as Envoy does: unknown fields and broken rules
// are errors.
func readEnvoy(t *testing.T, text []byte) *bootstrapv3.Bootstrap {
	t.Helper()
	document, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatal(err)
	}
	b := new(bootstrapv3.Bootstrap)
	if err := protojson.Unmarshal(document, b); err != nil {
		t.Fatal(err)
	}
	if err := b.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	return b
}

// unpack parses a message within another, with the same rules.
func unpack(t *testing.T, packed *anypb.Any, m validated) {
	t.Helper()
	if err := packed.UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	if err := m.ValidateAll(); err != nil {
		t.Fatal(err)
	}
}

// onlyCluster returns the only cluster. It asserts that the listener's connections
// go to it, that only healthy servers get connections, and that servers without
// traffic are checked as often as others.
func onlyCluster(t *testing.T, b *bootstrapv3.Bootstrap) *clusterv3.Cluster {
	t.Helper()
	listeners, clusters := b.GetStaticResources().GetListeners(), b.GetStaticResources().GetClusters()
	if len(listeners) != 1 || len(clusters) != 1 || len(clusters[0].GetHealthChecks()) != 1 {
		t.Fatalf("got %d listeners and %d clusters, want 1 and 1 with one health check", len(listeners), len(clusters))
	}
	cluster := clusters[0]
	var proxy tcpproxyv3.TcpProxy
	unpack(t, listeners[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig(), &proxy)
	if proxy.GetCluster() != cluster.GetName() {
		t.Errorf("cluster of the listener: got %q, want %q", proxy.GetCluster(), cluster.GetName())
	}
	if threshold := cluster.GetCommonLbConfig().GetHealthyPanicThreshold(); threshold == nil || threshold.GetValue() != 0 {
		t.Errorf("healthy_panic_threshold: got %v, want 0, or servers that do not serve get connections", threshold)
	}
	check := cluster.GetHealthChecks()[0]
	if !proto.Equal(check.GetNoTrafficInterval(), check.GetInterval()) {
		t.Errorf("no_traffic_interval: got %v, want the interval %v", check.GetNoTrafficInterval(), check.GetInterval())
	}
	return cluster
}

// checkAddresses returns the addresses at which Envoy checks a cluster's servers.
func checkAddresses(cluster *clusterv3.Cluster) (addresses []string) {
	for _, e := range cluster.GetLoadAssignment().GetEndpoints()[0].GetLbEndpoints() {
		endpoint := e.GetEndpoint()
		addresses = append(addresses, net.JoinHostPort(endpoint.GetAddress().GetSocketAddress().GetAddress(),
			strconv.Itoa(int(endpoint.GetHealthCheckConfig().GetPortValue()))))
	}
	return addresses
}

// checkByGRPC runs Envoy's grpc_health_check once.
func checkByGRPC(t *testing.T, address string, check *corev3.HealthCheck) string {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), check.GetTimeout().AsDuration())
	defer cancel()
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{Service: check.GetGrpcHealthCheck().GetServiceName()})
	if err != nil {
		return err.Error()
	}
	return answer.GetStatus().String()
}

// checkByTCP runs Envoy's tcp_health_check once: the answer must contain all blocks
// of receive, in order.
func checkByTCP(t *testing.T, address string, check *corev3.HealthCheck) string {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := conn.Write(fromHex(t, check.GetTcpHealthCheck().GetSend())); err != nil {
		return err.Error()
	}
	var answer []byte
	for {
		rest, all := answer, true
		for _, block := range check.GetTcpHealthCheck().GetReceive() {
			_, after, found := bytes.Cut(rest, fromHex(t, block))
			rest, all = after, all && found
		}
		if all {
			return "SERVING"
		}
		buf := make([]byte, 256)
		n, err := conn.Read(buf)
		if err != nil {
			return "NOT_SERVING"
		}
		answer = append(answer, buf[:n]...)
	}
}

func fromHex(t *testing.T, payload *corev3.HealthCheck_Payload) []byte {
	t.Helper()
	b, err := hex.DecodeString(payload.GetText())
	if err != nil || len(b) == 0 {
		t.Fatalf("payload: got %q, %v, want hexadecimal digits", payload.GetText(), err)
	}
	return b
}

// awaitHangAndRecovery checks that a hang of the program is detected, and its end.
func (p *pod) awaitHangAndRecovery(check func() string) {
	p.t.Helper()
	await(p.t, "SERVING", check)
	p.signal(syscall.SIGUSR1)
	await(p.t, "NOT_SERVING", check)
	p.signal(syscall.SIGUSR2)
	await(p.t, "SERVING", check)
}

func TestEnvoyGRPCCheckFollowsVerdict(t *testing.T) {
	port := freePort(t)
	cluster := onlyCluster(t, readEnvoy(t, snippet(t, fmt.Sprintf("envoy -service epg -virtual 127.0.0.1:80 -real 127.0.0.1:81 -grpc %s", port))))
	// Envoy rejects a gRPC check of a cluster without HTTP/2.
	var options httpv3.HttpProtocolOptions
	unpack(t, cluster.GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"], &options)
	if options.GetExplicitHttpConfig().GetHttp2ProtocolOptions() == nil {
		t.Error("the cluster has no http2_protocol_options, want them")
	}
	p := newPod(t, "landmarkd", "-monitor=", "-http=", "-grpc", "127.0.0.1:"+port)
	p.awaitHangAndRecovery(func() string { return checkByGRPC(t, checkAddresses(cluster)[0], cluster.GetHealthChecks()[0]) })
}

func TestEnvoyTCPCheckFollowsVerdict(t *testing.T) {
	port := freePort(t)
	cluster := onlyCluster(t, readEnvoy(t, snippet(t, fmt.Sprintf("envoy -service epg -virtual 127.0.0.1:80 -real 127.0.0.1:81 -check tcp -monitor %s", port))))
	p := newPod(t, "landmarkd", "-grpc=", "-http=", "-monitor", "127.0.0.1:"+port)
	p.awaitHangAndRecovery(func() string { return checkByTCP(t, checkAddresses(cluster)[0], cluster.GetHealthChecks()[0]) })
}

func TestEnvoyAcceptsEveryName(t *testing.T) {
	for _, name := range []string{"1.5", "null", "true", "0x1F", "1e3", "2026-11-25", "epg_eu.v2-x"} {
		for _, check := range []string{"grpc", "tcp"} {
			b := readEnvoy(t, snippet(t, "envoy -virtual [2001:db8::80]:5400 -real [2001:db8:1::11]:5400 -interval 250ms -check "+check+" -service "+name))
			if got := onlyCluster(t, b).GetName(); got != name {
				t.Errorf("name of the cluster: got %q, want %q", got, name)
			}
		}
	}
}
