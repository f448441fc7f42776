//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// checkFunc checks a service once and returns the answer: a status of
// grpc.health.v1 and, where the protocol has one, the cause behind it.
type checkFunc func(e *env, service string) string

// checkUDP checks by LMP over UDP.
func checkUDP(e *env, service string) string { return checkLMP("udp", 0)(e, service) }

// checkLMP returns a check by LMP.
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

// runLandmarkCheck checks by running landmark-check.
func runLandmarkCheck(e *env, service string) string {
	code, out, errs := runProgram(e.t, program("landmark-check"), "-addr", e.monitor, "-service", service, "-timeout", "10s")
	answer := strings.TrimSpace(strings.TrimPrefix(out, service+":"))
	answer, _, _ = strings.Cut(answer, ":") // without the reason
	switch {
	case code == 0 && answer == "SERVING":
		return "SERVING none"
	case code == 4:
		return answer
	default:
		return fmt.Sprintf("error: exit code %d: %s%s", code, out, errs)
	}
}

// checkGRPC returns a check by grpc.health.v1 over one connection.
func checkGRPC(e *env) checkFunc {
	client := healthpb.NewHealthClient(e.dialGRPC())
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

// checkHealthProbe returns a check by the grpc-health-probe at path.
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

// allChecks returns a check by every way that a verdict must reach.
func allChecks(t *testing.T, e *env) map[string]checkFunc {
	return map[string]checkFunc{
		"lmp over UDP":      checkLMP("udp", 0),
		"lmp over TCP":      checkLMP("tcp", 0),
		"line":              checkLine,
		"HTTP":              checkHTTP,
		"landmark-check":    runLandmarkCheck,
		"grpc Check":        checkGRPC(e),
		"grpc-health-probe": checkHealthProbe(healthProbe(t)),
	}
}

// matches reports whether an answer is the wanted one. A protocol without causes
// gives the status alone.
func matches(got, want string) bool {
	return got == want || strings.HasPrefix(want, got+" ")
}

// pause lets others run between two checks of a test that waits. With strictTimes,
// which measures when an answer changes, it does nothing.
func pause() {
	if !strictTimes {
		time.Sleep(checkInterval)
	}
}

// await checks until the answer is the wanted one.
func (e *env) await(check checkFunc, service, want string) {
	e.t.Helper()
	e.awaitAny(check, service, want)
}

// awaitAny checks until the answer is one of the wanted ones.
func (e *env) awaitAny(check checkFunc, service string, wants ...string) {
	e.t.Helper()
	deadline := time.Now().Add(testTimeout)
	for {
		got := check(e, service)
		if slices.ContainsFunc(wants, func(want string) bool { return matches(got, want) }) {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("after %v: %s: got %q, want %q", testTimeout, service, got, wants)
		}
		pause()
	}
}

// awaitChange checks until the answer is the wanted one. It returns how long
// after the event the last check began that got another answer: every later
// check got the wanted one.
func (e *env) awaitChange(check checkFunc, service, want string, event time.Time) (time.Duration, error) {
	last := event
	for {
		begun := time.Now()
		got := check(e, service)
		if matches(got, want) {
			return last.Sub(event), nil
		}
		if strings.HasPrefix(got, "error") {
			return 0, errors.New(got)
		}
		last = begun
		if begun.Sub(event) > testTimeout {
			return 0, fmt.Errorf("after %v: got %q", testTimeout, got)
		}
		pause()
	}
}

// awaitAll runs the checks at once until each gets the wanted answer, and
// asserts that no check that began later than the bound after the event got
// another.
func (e *env) awaitAll(checks map[string]checkFunc, want string, event time.Time, bound time.Duration) {
	e.t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	for name, check := range checks {
		wg.Go(func() {
			took, err := e.awaitChange(check, "epg", want, event)
			if err != nil {
				e.t.Errorf("%s: %v, want %q", name, err, want)
				return
			}
			assertWithin(e.t, took, bound, "%s: the event to %q", name, want)
			e.t.Logf("%-18s %-22s after %v", name, want, took.Round(time.Millisecond))
		})
	}
}
