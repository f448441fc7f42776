//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/lmp"
)

// asksSteadily has a director at that address ask for the service four times a
// second, from a new port each time as keepalived does, until it is stopped.
func (e *env) asksSteadily(address, service string) (stop func()) {
	e.t.Helper()
	ctx, cancel := context.WithCancel(e.t.Context())
	var asking sync.WaitGroup
	stop = func() {
		cancel()
		asking.Wait()
	}
	e.t.Cleanup(stop)
	request, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindCheck, Service: []byte(service)}, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	from := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(address)}}
	asking.Go(func() {
		every := time.NewTicker(250 * time.Millisecond)
		defer every.Stop()
		for {
			conn, err := from.DialContext(ctx, "udp", e.monitor)
			if err == nil {
				_, err = conn.Write(request)
				conn.Close() // it has asked; what it would be told is no matter here
			}
			if err != nil && ctx.Err() == nil {
				e.t.Errorf("asking from %s: %v", address, err)
				return
			}
			select {
			case <-every.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return stop
}

// awaitStatus waits until a line of the status of a service, or of all if it is empty, matches.
func (e *env) awaitStatus(service, pattern string) {
	e.t.Helper()
	line := regexp.MustCompile(`(?m)^` + pattern + `$`)
	args := []string{"status", service}[:1+min(1, len(service))]
	for deadline := time.Now().Add(2 * testTimeout); ; time.Sleep(100 * time.Millisecond) {
		status, _ := e.landmark(0, args...)
		if line.MatchString(status) {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("no line came to be like\n%s\nin\n%s", pattern, status)
		}
	}
}

// Of two directors one dies, in the night: landmarkd says so, and whoever looks
// in the morning sees it.
func TestSilentCheckerIsReported(t *testing.T) {
	parallel(t)
	probe := healthProbe(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	dies := e.asksSteadily("127.0.0.2", "epg")
	e.asksSteadily("127.0.0.3", "epg-readiness")
	e.asksSteadily("127.0.0.3", "")
	e.asksSteadily("127.0.0.4", "epgg")
	conn, err := grpc.NewClient("passthrough:///"+e.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "epg-liveness"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	for _, ask := range []checkFunc{runLandmarkCheck, checkLMP("tcp", 0), checkHealthProbe(probe)} {
		e.await(ask, "epg", "SERVING none")
	}
	// At four questions a second at most, those who have put 130 are steady, which takes 30 s.
	rate := `[1-4](\.\d)?/s`
	if strictTimes {
		rate = `(3\.9|4|4\.1)/s`
	}
	steadily := ` +` + rate + ` +(1[3-9]\d|[2-9]\d\d) +\S+ (ms|s) ago`
	for _, address := range []string{"127.0.0.2", "127.0.0.3"} {
		e.awaitStatus("epg", regexp.QuoteMeta(address)+` +lmp-udp`+steadily)
	}
	e.awaitStatus("", `all services +127\.0\.0\.3 +lmp-udp`+steadily)
	e.awaitStatus("", `unknown: epgg +127\.0\.0\.4 +lmp-udp`+steadily)
	status, _ := e.landmark(0, "status", "epg")
	wantLine(t, status, `127\.0\.0\.2 +lmp-udp`+steadily)
	wantLine(t, status, `127\.0\.0\.3 +lmp-udp`+steadily)
	wantLine(t, status, `127\.0\.0\.1 +lmp-udp +\S+/s +\d+ +\d+(\.\d)? s ago`)
	wantLine(t, status, `127\.0\.0\.1 +lmp-tcp +\S+/s +1 +\d+(\.\d)? s ago`)
	wantLine(t, status, `127\.0\.0\.1 +grpc-check +0/s +1 +\d+(\.\d)? s ago`)
	wantLine(t, status, `127\.0\.0\.1 +grpc-watch +0/s +1 +watching`)
	status, _ = e.landmark(0, "status")
	wantLine(t, status, `epg +SERVING .* by 6, 0 ms ago`) // who watches asks now
	wantLine(t, status, `all services +127\.0\.0\.3 +lmp-udp`+steadily)
	wantLine(t, status, `unknown: epgg +127\.0\.0\.4 +lmp-udp`+steadily)

	dies()
	e.sidecar.awaitLine(`msg="a checker has fallen silent" service=epg checker=127.0.0.2 by=lmp-udp silent_for=`)
	status, _ = e.landmark(0, "status")
	wantLine(t, status, `epg +SERVING .* by 6, 1 silent`)
	status, _ = e.landmark(0, "status", "epg")
	wantLine(t, status, `127\.0\.0\.2 +lmp-udp +\S+/s +\d{3,} +silent for \d+(\.\d)? s, asked `+rate+` before`)
	wantLine(t, status, `127\.0\.0\.3 +lmp-udp`+steadily)
	var document struct {
		Services []struct {
			Checkers []struct {
				Address string
				Silent  bool
			}
		}
	}
	inJSON, _ := e.landmark(0, "status", "-o", "json", "epg")
	if err := json.Unmarshal([]byte(inJSON), &document); err != nil {
		t.Fatal(err)
	}
	if checkers := document.Services[0].Checkers; len(checkers) != 6 || checkers[0].Address != "127.0.0.2" || !checkers[0].Silent || checkers[1].Silent {
		t.Errorf("in JSON the checkers are %+v", checkers)
	}

	e.asksSteadily("127.0.0.2", "epg")
	e.sidecar.awaitLine(`msg="a checker is back" service=epg checker=127.0.0.2`)
}
