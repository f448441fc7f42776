//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// checker asks the house for a service and returns what it was told: a status of
// grpc.health.v1, and behind it the cause where the checker's protocol has one.
type checkFunc func(e *env, service string) string

// checkUDP asks by LMP over UDP.
func checkUDP(e *env, service string) string { return checkLMP("udp", 0)(e, service) }

// lmpChecker asks by LMP.
func checkLMP(network string, maxAge time.Duration) checkFunc {
	return func(e *env, service string) string {
		ctx, cancel := context.WithTimeout(e.t.Context(), testTimeout)
		defer cancel()
		a, err := probe.Do(ctx, probe.Request{
			Network: network, Address: e.monitor, Kind: lmp.KindCheck, Service: service, MaxAge: maxAge,
		})
		if err != nil {
			return "error: " + err.Error()
		}
		return strings.ToUpper(strings.ReplaceAll(a.Status.String(), " ", "_")) + " " + a.Cause.String()
	}
}

// landmarkCheck asks by running landmark-check.
func runLandmarkCheck(e *env, service string) string {
	code, out, errs := runProgram(e.t, program("landmark-check"), "-addr", e.monitor, "-service", service, "-timeout", "10s")
	told := strings.TrimSpace(strings.TrimPrefix(out, service+":"))
	told, _, _ = strings.Cut(told, ":") // the reason follows
	switch {
	case code == 0 && told == "SERVING":
		return "SERVING none"
	case code == 4:
		return told
	default:
		return fmt.Sprintf("error: exit code %d: %s%s", code, out, errs)
	}
}

// grpcClient asks by grpc.health.v1 over one connection.
func checkGRPC(t *testing.T, e *env) checkFunc {
	conn, err := grpc.NewClient("passthrough:///"+e.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := healthpb.NewHealthClient(conn)
	return func(e *env, service string) string {
		ctx, cancel := context.WithTimeout(e.t.Context(), testTimeout)
		defer cancel()
		a, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: service})
		switch {
		case status.Code(err) == codes.NotFound:
			return "SERVICE_UNKNOWN"
		case err != nil:
			return "error: " + err.Error()
		}
		return a.Status.String()
	}
}

// healthProbeChecker asks by running grpc-health-probe.
func checkHealthProbe(path string) checkFunc {
	return func(e *env, service string) string {
		code, _, errs := runProgram(e.t, path, "-addr", e.grpc, "-service", service, "-connect-timeout", "10s", "-rpc-timeout", "10s")
		switch code {
		case 0:
			return "SERVING"
		case 4:
			return "NOT_SERVING"
		default:
			return fmt.Sprintf("error: exit code %d: %s", code, errs)
		}
	}
}

// everyChecker returns the checkers that a verdict has to reach.
func allChecks(t *testing.T, e *env) map[string]checkFunc {
	return map[string]checkFunc{
		"lmp over UDP":      checkLMP("udp", 0),
		"lmp over TCP":      checkLMP("tcp", 0),
		"line":              checkLine,
		"landmark-check":    runLandmarkCheck,
		"grpc Check":        checkGRPC(t, e),
		"grpc-health-probe": checkHealthProbe(healthProbe(t)),
	}
}

// await asks until the answer is the wanted one.
func (e *env) await(ask checkFunc, service, want string) {
	e.t.Helper()
	e.awaitAny(ask, service, want)
}

func (e *env) awaitAny(ask checkFunc, service string, wants ...string) {
	e.t.Helper()
	deadline := time.Now().Add(testTimeout)
	for {
		told := ask(e, service)
		for _, want := range wants {
			if told == want || strings.HasPrefix(want, told+" ") {
				return
			}
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("after %v %s is told %q, want %q", testTimeout, service, told, wants)
		}
	}
}

// turn asks until the answer is the wanted one and returns how long after the
// event the last question was put that was answered otherwise: every later one
// was answered with the truth.
func (e *env) awaitChange(ask checkFunc, service, want string, event time.Time) (time.Duration, error) {
	last := event
	for {
		put := time.Now()
		told := ask(e, service)
		// A checker whose protocol has no causes is told the status alone.
		if told == want || strings.HasPrefix(want, told+" ") {
			return last.Sub(event), nil
		}
		if strings.HasPrefix(told, "error") {
			return 0, fmt.Errorf("%s", told)
		}
		last = put
		if put.Sub(event) > testTimeout {
			return 0, fmt.Errorf("still told %q", told)
		}
	}
}
