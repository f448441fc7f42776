//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// weighed asks by LMP over UDP, and returns the weight of a service that
// serves, "SERVING 75", or the cause of one that does not, "NOT_SERVING lost".
func checkWeight(e *env, service string) string {
	a, err := askUDP(e, lmp.KindCheck, service)
	switch {
	case err != nil:
		return "error: " + err.Error()
	case a.Status == lmp.StatusServing:
		return fmt.Sprint("SERVING ", a.Weight)
	default:
		return "NOT_SERVING " + a.Cause.String()
	}
}

// reason asks by LMP why a service is as it is.
func describe(e *env, service string) string {
	a, err := askUDP(e, lmp.KindDescribe, service)
	if err != nil {
		return "error: " + err.Error()
	}
	return a.Reason
}

// askUDP asks by LMP over UDP.
func askUDP(e *env, kind lmp.Kind, service string) (lmp.Answer, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), testTimeout)
	defer cancel()
	return probe.Do(ctx, probe.Request{Network: "udp", Address: e.monitor, Kind: kind, Service: service})
}

// statusOf is the status of an answer that has more to it.
func statusOf(told string) string {
	status, _, _ := strings.Cut(told, " ")
	return status
}

const (
	// observed is how often an observer asks.
	observed = 2 * time.Millisecond
	// leastAnswers is how many answers an observer must have had in each
	// second, on a machine that has other work.
	leastAnswers = 50
)

// story is what somebody was told, without repetitions.
type transitions struct {
	mu   sync.Mutex
	told []string // guarded by mu
}

// add takes what was told now.
func (s *transitions) add(told string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.told); n == 0 || s.told[n-1] != told {
		s.told = append(s.told, told)
	}
}

// last returns what was told last, "" if nothing was yet.
func (s *transitions) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) == 0 {
		return ""
	}
	return s.told[len(s.told)-1]
}

// String returns all that was told, joined by commas.
func (s *transitions) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.told, ", ")
}

// observer asks for a service every 2 ms, and holds a gRPC Watch on it.
type observer struct {
	t       *testing.T
	begun   time.Time
	stop    chan struct{}
	asking  sync.WaitGroup
	answers int
	told    transitions // as weighed has it
	watched *healthWatch
}

// observe begins to observe the service.
func observe(e *env, service string) *observer {
	e.t.Helper()
	o := &observer{t: e.t, begun: time.Now(), stop: make(chan struct{}), watched: startHealthWatch(e, service)}
	told := checkWeight(e, service)
	o.told.add(told)
	o.asking.Go(func() {
		every := time.NewTicker(observed)
		defer every.Stop()
		for {
			select {
			case <-every.C:
			case <-o.stop:
				return
			}
			o.told.add(checkWeight(e, service))
			o.answers++
		}
	})
	return o
}

// await waits until the observer is told so, both ways.
func (o *observer) await(told string) {
	o.t.Helper()
	for deadline := time.Now().Add(testTimeout); o.told.last() != told; time.Sleep(observed) {
		if time.Now().After(deadline) {
			o.t.Fatalf("after %v the observer was told %v, want %q", testTimeout, &o.told, told)
		}
	}
	o.watched.await(o.t, statusOf(told))
}

// end stops observing and holds what was told by LMP and by the Watch to the
// patterns.
func (o *observer) end(told, watched string) {
	o.t.Helper()
	close(o.stop)
	o.asking.Wait()
	o.watched.end()
	took := time.Since(o.begun)
	for _, s := range []struct {
		by, pattern string
		told        *transitions
	}{{"LMP", told, &o.told}, {"Watch", watched, &o.watched.told}} {
		if !regexp.MustCompile("^(" + s.pattern + ")$").MatchString(s.told.String()) {
			o.t.Errorf("by %s was told %q, want %q", s.by, s.told, s.pattern)
		}
	}
	// Where times are not held, at least the answers between the events count.
	if least := int(took.Seconds() * leastAnswers); o.answers == 0 || strictTimes && o.answers < least {
		o.t.Errorf("only %d questions were answered in %v, want %d", o.answers, took, least)
	}
	o.t.Logf("%d answers in %v: %v", o.answers, took.Round(time.Millisecond), &o.told)
}

// watching is a gRPC Watch.
type healthWatch struct {
	told  transitions
	stop  context.CancelFunc
	ended chan struct{}
}

// watch begins a Watch of the service, and returns once it was told something.
func startHealthWatch(e *env, service string) *healthWatch {
	e.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+e.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { conn.Close() })
	ctx, stop := context.WithCancel(e.t.Context())
	stream, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
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
				w.told.add(m.Status.String())
			case ctx.Err() == nil:
				w.told.add("error: " + err.Error())
				return
			default:
				return
			}
		}
	}()
	select {
	case <-begun:
	case <-w.ended:
		e.t.Fatalf("the Watch of %q ended: %v", service, &w.told)
	}
	return w
}

// await waits until the Watch told the status last.
func (w *healthWatch) await(t *testing.T, status string) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); w.told.last() != status; time.Sleep(observed) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v the Watch told %v, want %s", testTimeout, &w.told, status)
		}
	}
}

// end ends the Watch.
func (w *healthWatch) end() { w.stop(); <-w.ended }
