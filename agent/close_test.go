package agent

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

func TestCloseTimesOut(t *testing.T) {
	tests := []struct {
		name   string
		handle func(agentStream) error
		after  time.Duration
	}{
		{"sidecar stopped", readNothing, time.Minute},
		{"sidecar stopped until Send blocks", readNothing, 30 * time.Minute},
		{"goodbye ignored", ignoreGoodbye, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSidecar(t, tt.handle)
				s.start()
				var marks landmark.Set
				marks.Alive("a", 100*time.Millisecond)
				agent := startAgent(t, &marks, s, io.Discard)
				time.Sleep(tt.after)
				start := time.Now()
				if err := agent.Close(); err == nil {
					t.Error("Close() = nil, want an error because the goodbye is not confirmed")
				}
				if d := time.Since(start); d != closeTimeout {
					t.Errorf("Close took %v, want %v", d, closeTimeout)
				}
			})
		})
	}
}

// readNothing is a handler that reads nothing.
func readNothing(stream agentStream) error {
	<-stream.Context().Done()
	return nil
}

// ignoreGoodbye is a handler that reads everything and does not end the stream.
func ignoreGoodbye(stream agentStream) error {
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			<-stream.Context().Done()
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Without a connection, Close does not wait.
func TestCloseWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSidecar(t, nil)
		s.conns = nil
		var marks landmark.Set
		agent := startAgent(t, &marks, s, io.Discard)
		time.Sleep(10 * time.Second)
		start := time.Now()
		closeAgent(t, agent)
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v, want 0", d)
		}
	})
}

// Close stops the calls of the program's functions. It waits for a running call, but
// not forever.
func TestCloseStopsPolling(t *testing.T) {
	const cleanup = 200 * time.Millisecond
	var forever chan struct{} // one for each test
	tests := []struct {
		name  string
		check func(context.Context) error
		want  time.Duration // that Close takes
	}{
		{"idle", func(context.Context) error { return nil }, 0},
		{"cleans up", func(ctx context.Context) error { <-ctx.Done(); time.Sleep(cleanup); return ctx.Err() }, cleanup},
		{"hangs", func(context.Context) error { <-forever; return nil }, closeTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forever = make(chan struct{})
				defer close(forever)
				var r recorder
				s := newSidecar(t, r.handle)
				s.start()
				var calls atomic.Int64
				var marks landmark.Set
				marks.Condition("db", landmark.Check(10*time.Millisecond, time.Hour, func(ctx context.Context) error {
					calls.Add(1)
					return tt.check(ctx)
				}))
				marks.Level("queue", landmark.Above(1, 2), landmark.Poll(func() float64 { calls.Add(1); return 0 }))
				agent := startAgent(t, &marks, s, io.Discard)
				time.Sleep(time.Minute)
				start := time.Now()
				closeAgent(t, agent)
				if d := time.Since(start); d != tt.want {
					t.Errorf("Close took %v, want %v", d, tt.want)
				}
				before := calls.Load()
				time.Sleep(time.Minute)
				if after := calls.Load(); after != before {
					t.Errorf("%d calls after Close, want 0", after-before)
				}
			})
		})
	}
}
