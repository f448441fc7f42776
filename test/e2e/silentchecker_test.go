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

	"github.com/landmark-health/landmark/lmp"
)

// checkSteadily checks the service from the address four times a second, from a
// new port each time as keepalived does, until it is stopped.
func (e *env) checkSteadily(address, service string) (stop func()) {
	e.t.Helper()
	ctx, cancel := context.WithCancel(e.t.Context())
	var running sync.WaitGroup
	stop = func() {
		cancel()
		running.Wait()
	}
	e.t.Cleanup(stop)
	request, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindCheck, Service: []byte(service)}, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	from := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(address)}}
	running.Go(func() {
		every := time.NewTicker(250 * time.Millisecond)
		defer every.Stop()
		for {
			conn, err := from.DialContext(ctx, "udp", e.monitor)
			if err == nil {
				_, err = conn.Write(request)
				conn.Close() // the answer does not matter
			}
			if err != nil && ctx.Err() == nil {
				e.t.Errorf("checking from %s: %v", address, err)
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

// awaitStatus waits until a line of landmark status matches the pattern. The
// service "" stands for all services.
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
			e.t.Fatalf("after %v: got\n%s\nwant a line that matches\n%s", 2*testTimeout, status, pattern)
		}
	}
}

// When one of two directors dies, landmarkd logs that, and landmark status shows
// it. landmarkd takes 30 s to learn the rate of a checker, and 10 s to find it
// silent.
func TestSilentCheckerIsReported(t *testing.T) {
	parallel(t)
	probe := healthProbe(t)
	e := newEnv(t)
	e.epg(defaultWithin)
	stop := e.checkSteadily("127.0.0.2", "epg")
	e.checkSteadily("127.0.0.3", "epg-readiness")
	e.checkSteadily("127.0.0.3", "")
	e.checkSteadily("127.0.0.4", "epgg")
	startHealthWatch(e, "epg-liveness")
	for _, check := range []checkFunc{runLandmarkCheck, checkLMP("tcp", 0), checkHealthProbe(probe)} {
		e.await(check, "epg", "SERVING none")
	}
	// At four checks a second, a checker that has made 130 has been steady for 30 s.
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
	wantLine(t, status, `epg +SERVING .* by 6, 0 ms ago`) // a Watch counts as a check now
	wantLine(t, status, `all services +127\.0\.0\.3 +lmp-udp`+steadily)
	wantLine(t, status, `unknown: epgg +127\.0\.0\.4 +lmp-udp`+steadily)

	stop()
	e.sidecar.awaitLine(`msg="a checker has fallen silent" service=epg checker=127.0.0.2 by=lmp-udp silent_for=`)
	status, _ = e.landmark(0, "status")
	wantLine(t, status, `epg +SERVING .* by 6, 1 silent`)
	status, _ = e.landmark(0, "status", "epg")
	wantLine(t, status, `127\.0\.0\.2 +lmp-udp +\S+/s +\d{3,} +silent for \d+(\.\d)? s, checked `+rate+` before`)
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
		t.Errorf("checkers in JSON: got %+v, want 6, and only the first, 127.0.0.2, silent", checkers)
	}

	e.checkSteadily("127.0.0.2", "epg")
	e.sidecar.awaitLine(`msg="a checker is back" service=epg checker=127.0.0.2`)
}
