//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// checkWeight checks by LMP over UDP. It returns the weight of a service that
// serves, "SERVING 75", or the cause of one that does not, "NOT_SERVING lost".
func checkWeight(e *env, service string) string {
	a, err := requestUDP(e, lmp.KindCheck, service)
	switch {
	case err != nil:
		return "error: " + err.Error()
	case a.Status == lmp.StatusServing:
		return fmt.Sprint("SERVING ", a.Weight)
	default:
		return "NOT_SERVING " + a.Cause.String()
	}
}

// describe returns the reason of a verdict, by LMP over UDP.
func describe(e *env, service string) string {
	a, err := requestUDP(e, lmp.KindDescribe, service)
	if err != nil {
		return "error: " + err.Error()
	}
	return a.Reason
}

// requestUDP sends one request by LMP over UDP.
func requestUDP(e *env, kind lmp.Kind, service string) (lmp.Answer, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), testTimeout)
	defer cancel()
	return probe.Do(ctx, probe.Request{Network: "udp", Address: e.monitor, Kind: kind, Service: service})
}

// statusOf returns the status of an answer, without its cause or weight.
func statusOf(answer string) string {
	status, _, _ := strings.Cut(answer, " ")
	return status
}

const (
	// checkInterval is the pause between the checks of an observer, and between
	// two looks of a test that waits.
	checkInterval = 2 * time.Millisecond
	// leastAnswers is how many answers an observer must get in each second, on a
	// machine that has other work.
	leastAnswers = 50
)

// transitions are the answers that somebody got, each once until it changed.
type transitions struct {
	mu      sync.Mutex
	answers []string // guarded by mu
}

// add adds an answer unless it equals the last one.
func (tr *transitions) add(answer string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if n := len(tr.answers); n == 0 || tr.answers[n-1] != answer {
		tr.answers = append(tr.answers, answer)
	}
}

// last returns the last answer, or "" if there is none.
func (tr *transitions) last() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.answers) == 0 {
		return ""
	}
	return tr.answers[len(tr.answers)-1]
}

// String returns all answers, joined by commas.
func (tr *transitions) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return strings.Join(tr.answers, ", ")
}

// await waits until the last answer is the wanted one.
func (tr *transitions) await(t *testing.T, by, want string) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); tr.last() != want; time.Sleep(checkInterval) {
		if time.Now().After(deadline) {
			t.Fatalf("by %s after %v: got %v, want %q at the end", by, testTimeout, tr, want)
		}
	}
}

// observer checks a service every 2 ms, and holds a gRPC Watch on it.
type observer struct {
	t       *testing.T
	begun   time.Time
	stop    chan struct{}
	running sync.WaitGroup
	answers atomic.Int64
	checked transitions // by checkWeight
	watch   *healthWatch
}

// observe begins to observe the service.
func observe(e *env, service string) *observer {
	e.t.Helper()
	o := &observer{t: e.t, begun: time.Now(), stop: make(chan struct{}), watch: startHealthWatch(e, service)}
	o.checked.add(checkWeight(e, service))
	o.running.Go(func() {
		every := time.NewTicker(checkInterval)
		defer every.Stop()
		for {
			select {
			case <-every.C:
			case <-o.stop:
				return
			}
			o.checked.add(checkWeight(e, service))
			o.answers.Add(1)
		}
	})
	return o
}

// await waits until the observer gets the answer both ways, by LMP to a check that began
// after the Watch had got it: before that, the same answer may be an older one.
func (o *observer) await(answer string) {
	o.t.Helper()
	o.watch.await(o.t, statusOf(answer))
	// The first answer from now on may be to a check that began before.
	for enough, deadline := o.answers.Load()+2, time.Now().Add(testTimeout); o.answers.Load() < enough; time.Sleep(checkInterval) {
		if time.Now().After(deadline) {
			o.t.Fatalf("by LMP: no answers for %v", testTimeout)
		}
	}
	o.checked.await(o.t, "LMP", answer)
}

// end stops observing, and asserts that all answers by LMP and all of the Watch
// match the patterns.
func (o *observer) end(checked, watched string) {
	o.t.Helper()
	close(o.stop)
	o.running.Wait()
	o.watch.end()
	took := time.Since(o.begun)
	for _, s := range []struct {
		by, pattern string
		got         *transitions
	}{{"LMP", checked, &o.checked}, {"Watch", watched, &o.watch.statuses}} {
		if !regexp.MustCompile("^(" + s.pattern + ")$").MatchString(s.got.String()) {
			o.t.Errorf("by %s: got %q, want %q", s.by, s.got, s.pattern)
		}
	}
	// Without strictTimes the number of answers is not asserted.
	answers := o.answers.Load()
	if least := int64(took.Seconds() * leastAnswers); answers == 0 || strictTimes && answers < least {
		o.t.Errorf("got %d answers in %v, want at least %d", answers, took, least)
	}
	o.t.Logf("%d answers in %v: %v", answers, took.Round(time.Millisecond), &o.checked)
}

// healthWatch is a Watch of grpc.health.v1.
type healthWatch struct {
	statuses transitions
	stop     context.CancelFunc
	ended    chan struct{}
}

// startHealthWatch begins a Watch of the service, and returns once the Watch has
// received its first status.
func startHealthWatch(e *env, service string) *healthWatch {
	e.t.Helper()
	ctx, stop := context.WithCancel(e.t.Context())
	stream, err := healthpb.NewHealthClient(e.dialGRPC()).Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		e.t.Fatal(err)
	}
	w := &healthWatch{stop: stop, ended: make(chan struct{})}
	begun := make(chan struct{})
	go func() {
		defer close(w.ended)
		for first := sync.OnceFunc(func() { close(begun) }); ; first() {
			m, err := stream.Recv()
			switch {
			case err == nil:
				w.statuses.add(m.Status.String())
			case ctx.Err() == nil:
				w.statuses.add("error: " + err.Error())
				return
			default:
				return
			}
		}
	}()
	select {
	case <-begun:
	case <-w.ended:
		e.t.Fatalf("the Watch of %q ended: %v", service, &w.statuses)
	}
	return w
}

// await waits until the last status of the Watch is the wanted one.
func (w *healthWatch) await(t *testing.T, status string) {
	t.Helper()
	w.statuses.await(t, "Watch", status)
}

// end ends the Watch.
func (w *healthWatch) end() { w.stop(); <-w.ended }
