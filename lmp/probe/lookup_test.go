package probe

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
)

var (
	errServerTimeout = &net.DNSError{Err: "i/o timeout", Name: "epg.test", IsTimeout: true}
	errNoName        = &net.DNSError{Err: "no such host", Name: "epg.test", IsNotFound: true}
)

func TestLookupFallsBackToKnownAddresses(t *testing.T) {
	const timeout = time.Second
	a, b := []string{"10.0.0.7:19533"}, []string{"10.0.0.8:19533"}
	type resolution struct {
		takes     time.Duration
		addresses []string
		err       error
	}
	type call struct {
		want  []string
		err   error
		takes time.Duration
	}
	for name, tt := range map[string]struct {
		resolutions []resolution
		calls       []call
	}{
		"addresses change":    {[]resolution{{0, a, nil}, {0, b, nil}}, []call{{a, nil, 0}, {b, nil, 0}}},
		"fails, then answers": {[]resolution{{0, nil, errServerTimeout}, {0, a, nil}}, []call{{nil, errServerTimeout, 0}, {a, nil, 0}}},
		"answers, then fails": {[]resolution{{0, a, nil}, {time.Millisecond, nil, errServerTimeout}}, []call{{a, nil, 0}, {a, nil, time.Millisecond}}},
		"slow at first":       {[]resolution{{2500 * time.Millisecond, a, nil}}, []call{{nil, errLookupTimeout, timeout}, {nil, errLookupTimeout, timeout}, {a, nil, timeout / 2}}},
		"slow later":          {[]resolution{{0, a, nil}, {1500 * time.Millisecond, b, nil}}, []call{{a, nil, 0}, {a, nil, timeout}, {b, nil, timeout / 2}}},
		"never answers":       {[]resolution{{time.Hour, a, nil}}, []call{{nil, errLookupTimeout, timeout}, {nil, errLookupTimeout, timeout}}},
		"name is removed":     {[]resolution{{0, a, nil}, {0, nil, errNoName}}, []call{{a, nil, 0}, {nil, errNoName, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				resolutions := tt.resolutions
				l := lookup{resolve: func(ctx context.Context) ([]string, error) {
					r := resolutions[0]
					resolutions = resolutions[1:]
					sleep.For(ctx, r.takes)
					if ctx.Err() != nil {
						return nil, ctx.Err()
					}
					return r.addresses, r.err
				}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				for i, c := range tt.calls {
					start := time.Now()
					got, err := l.addresses(ctx, timeout)
					if took := time.Since(start); !slices.Equal(got, c.want) || !errors.Is(err, c.err) || took != c.takes {
						t.Errorf("call %d returned %v, %v after %v; want %v, %v after %v", i, got, err, took, c.want, c.err, c.takes)
					}
				}
			})
		})
	}
}

// A result that came while the connection was up is out of date.
func TestLookupResolvesAgainAfterLateResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		l := lookup{resolve: func(ctx context.Context) ([]string, error) {
			calls++
			if calls == 1 {
				sleep.For(ctx, 2*time.Second)
				return []string{"old"}, nil
			}
			return []string{"new"}, nil
		}}
		if got, err := l.addresses(t.Context(), time.Second); err != errLookupTimeout {
			t.Errorf("first call returned %v, %v; want errLookupTimeout", got, err)
		}
		time.Sleep(time.Hour)
		if got, err := l.addresses(t.Context(), time.Second); err != nil || !slices.Equal(got, []string{"new"}) {
			t.Errorf("second call returned %v, %v; want [new]", got, err)
		}
	})
}

// Watch reconnects to a sidecar that restarts while every name server is down. A name
// server that takes longer than a connection may delays only the first answer.
func TestWatchReconnectsWithoutNameServer(t *testing.T) {
	const slow, connections = 1500 * time.Millisecond, 10
	synctest.Test(t, func(t *testing.T) {
		lookups := 0
		s := &watchTest{
			t: t, start: time.Now(), updates: make(chan timedUpdate, 100), done: make(chan error, 1),
			accept: func(_ int, conn net.Conn) error {
				go func() {
					serveWatch(t, conn, nil, 3)
					conn.Close()
				}()
				return nil
			},
			resolve: func(ctx context.Context) ([]string, error) {
				if lookups++; lookups > 1 {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				sleep.For(ctx, slow)
				return []string{"10.0.0.7:19533"}, nil
			},
		}
		s.run(WatchRequest{Service: "epg"})
		for i := range 3 * connections {
			u := <-s.updates
			if u.Err != nil || u.Answer.Status != lmp.StatusServing {
				t.Fatalf("update %d is %+v", i, u)
			}
			if i == 0 && u.at > slow+maxDelay {
				t.Errorf("the first answer came after %v, want about %v", u.at, slow)
			}
		}
		s.cancel()
		<-s.done
	})
}
